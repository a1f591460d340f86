import { describe, expect, it } from "vitest";
import { isProviderError } from "#server/providers/errors.ts";
import { checkVariables, variablesAsYaml } from "./variables.ts";

const valid = {
  company: "{{ anything }} at all",
  slug: "acme",
  url: "https://acme.intranet.io",
  version: "2.14.0",
  runtime: "server",
  releases_url: "https://releases.intranet.io",
  environment_variables: { A: "1" },
  web_port: 8080,
  contact_email: "joe@example.com",
};

describe("checkVariables", () => {
  it("accepts the names on the list", () => {
    expect(
      checkVariables("provision", { ...valid, data_dir: "/var/x", image: "registry.io/intranet" }),
    ).toMatchObject(valid);
  });

  it.each([
    [{ ansible_become: true }, "unknown: ansible_become"],
    [{ environment_variables: { "a-b": "secret" } }, "environment_variables"],
    [{ environment_variables: { A: 1 } }, "environment_variables.A"],
    [{ version: "../../etc" }, "version"],
    [{ url: "https://a.b/{evil}" }, "url"],
    [{ runtime: "elsewhere" }, "runtime"],
    [{ data_dir: "relative" }, "data_dir"],
    [{ company: "\ud800" }, "company"],
  ])("refuses %j", (change, mentions) => {
    try {
      checkVariables("provision", { ...valid, ...change });
      expect.unreachable();
    } catch (error) {
      if (!isProviderError(error)) throw error;
      expect(error.retryable).toBe(false);
      expect(error.detail).toContain(mentions);
      expect(error.detail).not.toContain("secret");
    }
  });
});

describe("variablesAsYaml", () => {
  it("tags every collection, at any depth", () => {
    expect(variablesAsYaml({ a: "x", b: 1, c: [true, null, "y"], d: { e: { f: "z" } }, g: undefined })).toBe(
      [
        "!unsafe {",
        '  "a": "x",',
        '  "b": 1,',
        '  "c": !unsafe [true, null, "y"],',
        '  "d": !unsafe {"e": !unsafe {"f": "z"}}',
        "}",
        "",
      ].join("\n"),
    );
  });

  it("escapes what YAML would read as the end of a line, and leaves emoji alone", () => {
    expect(variablesAsYaml({ a: "1\r\n2\u0085\u2028\u2029\ufeff\u007f🎉" })).toBe(
      '!unsafe {\n  "a": "1\\r\\n2\\u0085\\u2028\\u2029\\ufeff\\u007f🎉"\n}\n',
    );
  });

  it("is a document even without variables", () => {
    expect(variablesAsYaml({})).toBe("!unsafe {\n\n}\n");
  });
});
