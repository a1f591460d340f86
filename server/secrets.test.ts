import { expect, test } from "vitest";
import { deriveKey, open, seal } from "./secrets.ts";

const key = deriveKey("a secret key of some length", "variables");

test("what is sealed opens to the same text, and only with the same key and context", () => {
  const sealed = seal(key, "päss\nwörd 🥐", "instance/NAME");
  expect(sealed).not.toContain("rd");
  expect(open(key, sealed, "instance/NAME")).toBe("päss\nwörd 🥐");
  expect(() => open(key, sealed, "other/NAME")).toThrow();
  expect(() => open(deriveKey("another key altogether", "variables"), sealed, "instance/NAME")).toThrow();
  expect(seal(key, "same", "a")).not.toBe(seal(key, "same", "a"));
});
