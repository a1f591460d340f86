import { describe, expect, it } from "vitest";
import { maskSecrets } from "./mask.ts";

const secret = `p"a'ss\\wörd 🎉`;

describe("maskSecrets", () => {
  it.each([
    ["as it is", secret],
    ["as JSON", JSON.stringify(secret)],
    ["as ASCII JSON", '"p\\"a\'ss\\\\w\\u00f6rd \\ud83c\\udf89"'],
    ["as JSON in JSON", JSON.stringify(JSON.stringify(secret))],
    ["in Python quotes", `'p"a\\'ss\\\\wörd 🎉'`],
    ["in a shell's quotes", `'${secret.replaceAll("'", `'"'"'`)}'`],
    ["in a URL", encodeURIComponent(secret)],
    ["as base64", Buffer.from(secret).toString("base64")],
  ])("hides a secret %s", (_, written) => {
    expect(maskSecrets(`before ${written} after`, [secret])).toMatch(/^before ["'\\]*••••••["'\\]* after$/);
  });

  it("hides every line of a secret of several lines, whatever ends them", () => {
    const key = "-----BEGIN KEY-----\r\nabcdef\r\n-----END KEY-----\r\n";
    expect(maskSecrets(key.replaceAll("\r\n", "\n"), [key])).toBe("••••••");
    expect(maskSecrets("\u001b[31mabcdef\u001b[0m", [key])).toBe("\u001b[31m••••••\u001b[0m");
  });

  it("hides the longer of two secrets whole", () => {
    expect(maskSecrets("hunter22", ["hunter2", "hunter22"])).toBe("••••••");
  });

  it("leaves the rest alone", () => {
    expect(maskSecrets("nothing here $& $1", ["", "  ", "other"])).toBe("nothing here $& $1");
    expect(maskSecrets("a.c abc", ["a.c"])).toBe("•••••• abc");
  });
});
