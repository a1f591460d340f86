import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readEnv } from "./env.ts";

/** The configuration with these variables beside what is always given. */
function configured(variables: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "spawner-env-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return readEnv({
    DATABASE_URL: "postgres://localhost/none",
    SECRET_KEY: "a key of the tests",
    DATA_DIR: folder,
    ...variables,
  });
}

test("with a DigitalOcean token BASE_DOMAINS must be set; without one it is intranet.localhost", () => {
  const token = { DIGITALOCEAN_TOKEN: "dop_v1_never-shown" };
  for (const domains of [{}, { BASE_DOMAINS: "" }, { BASE_DOMAINS: "," }])
    expect(() => configured({ ...token, ...domains })).toThrow(
      /^The configuration .*BASE_DOMAINS: must name/,
    );
  expect(() => configured(token)).not.toThrow(/never-shown/);
  expect(configured({ ...token, BASE_DOMAINS: "intranet.io, example.org," }).baseDomains).toEqual([
    "intranet.io",
    "example.org",
  ]);
  expect(configured({}).baseDomains).toEqual(["intranet.localhost"]);
});

test("what is no domain is named", () => {
  expect(() => configured({ BASE_DOMAINS: "intranet.io,localhost:3000" })).toThrow(
    'BASE_DOMAINS: "localhost:3000" is not a domain',
  );
});
