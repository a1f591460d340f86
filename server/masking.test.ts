import { describe, expect, it } from "vitest";
import { maskSecrets } from "./masking.ts";

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
    ["as base64 of a URL's kind", Buffer.from(secret).toString("base64url")],
    ["in hex", Buffer.from(secret).toString("hex")],
    ["in upper-case hex", Buffer.from(secret).toString("hex").toUpperCase()],
  ])("hides a secret %s", (_, written) => {
    expect(maskSecrets(`before ${written} after`, [secret])).toMatch(/^before ["'\\]*••••••["'\\]* after$/);
  });

  it.each(["", "a", "jo", "joe"])("hides it in a Basic header of the user “%s”", (user) => {
    const header = `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`;
    expect(maskSecrets(header, [secret])).toBe("Basic ••••••");
    const more = Buffer.from(`${user}:${secret}\nand more`).toString("base64");
    expect(maskSecrets(`(${more})`, [secret])).toBe("(••••••)");
  });

  it("hides it with terminal codes between its characters, and keeps the codes", () => {
    const coloured = "\u001b[32mok: pass\u001b[1;31mword1\u001b[0m done\u001b[0m";
    expect(maskSecrets(coloured, ["password1"])).toBe(
      "\u001b[32mok: ••••••\u001b[1;31m\u001b[0m done\u001b[0m",
    );
  });

  it("hides a short secret only where it stands alone", () => {
    expect(maskSecrets("abc: 'abc' abcd", ["abc"])).toBe("••••••: '••••••' abcd");
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
