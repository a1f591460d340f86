import { expect, test } from "vitest";
import { wayBack } from "./wayBack.ts";

const origin = "https://spawner.example.org";

test.each([
  ["/settings", "/settings"],
  ["/instances/acme?operation=1#log", "/instances/acme?operation=1#log"],
  [`${origin}/backups`, "/backups"],
  [null, "/"],
  ["", "/"],
])("%j leads back to %j", (from, to) => {
  expect(wayBack(from, origin)).toBe(to);
});

test.each([
  "//evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  "\\\\evil.example",
  "/\\evil.example",
  "/%2e%2e//evil.example",
  "/x/..//evil.example",
  "https://evil.example/settings",
  "https:evil.example",
  "javascript:alert(1)",
  `${origin}.evil.example/`,
  `${origin}@evil.example/`,
  "http://[",
])("%j leads to the list, not elsewhere", (from) => {
  const to = new URL(wayBack(from, origin), origin);
  expect(to.origin).toBe(origin);
  expect(wayBack(from, origin)).toMatch(/^\/(?!\/)/);
});
