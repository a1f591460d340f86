import { expect, test } from "vitest";
import { clientAddress, parseTrustedProxies } from "./clientAddress.ts";

const from = (forwarded: string | null, trust?: string) =>
  clientAddress(forwarded, trust === undefined ? undefined : parseTrustedProxies(trust));

test("without a trusted proxy nobody's word counts", () => {
  expect(from("192.0.2.1")).toBeUndefined();
  expect(from(null, "1")).toBeUndefined();
});

test("what a client claims before the trusted proxies doesn't count", () => {
  expect(from("203.0.113.9, 192.0.2.1", "1")).toBe("192.0.2.1");
  expect(from("203.0.113.9, 192.0.2.1, 10.0.0.2", "2")).toBe("192.0.2.1");
  expect(from("203.0.113.9, 192.0.2.1, 10.0.0.2", "10.0.0.0/8")).toBe("192.0.2.1");
  expect(from("10.0.0.7, 192.0.2.1, 10.0.0.2, 10.1.0.3", "10.0.0.2, 10.1.0.0/16")).toBe("192.0.2.1");
  expect(from("2001:db8::7, fd00::1", "fd00::/8")).toBe("2001:db8::7");
});

test.each(["unknown", "", "192.0.2.1:443", "_hidden"])("%j is no address", (forwarded) => {
  expect(from(forwarded, "1")).toBeUndefined();
});

test.each(["all", "10.0.0.0/33", "10.0.0/8", "fd00::/129", "12", "1,two"])(
  "TRUST_PROXY=%s is refused",
  (text) => {
    expect(() => parseTrustedProxies(text)).toThrow(/neither a number of hops nor an address/);
  },
);
