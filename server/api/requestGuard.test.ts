import { NextRequest } from "next/server";
import { describe, expect, test } from "vitest";
import { guardRequest } from "./requestGuard.ts";

const dashboardUrl = "https://spawner.example.org";
const limits = { maxBytes: 1024, dashboardUrl };
const asked = (headers: Record<string, string>, init: { method?: string; body?: BodyInit } = {}) =>
  new NextRequest("http://127.0.0.1:3000/api/trpc/instances.spawn", {
    method: "POST",
    ...init,
    headers: { host: "127.0.0.1:3000", ...headers },
    ...(init.body instanceof ReadableStream ? { duplex: "half" } : {}),
  });
const statusOf = async (request: NextRequest) => {
  const guarded = await guardRequest(request, limits);
  return "refusal" in guarded ? guarded.refusal.status : 200;
};

describe("what changes something", () => {
  test.each([
    { "sec-fetch-site": "same-origin", origin: dashboardUrl },
    { "sec-fetch-site": "same-origin", origin: "http://127.0.0.1:3000" },
    { origin: dashboardUrl },
    {},
  ])("is taken from the dashboard's own pages, and from programs: %j", async (headers) => {
    expect(await statusOf(asked(headers))).toBe(200);
  });

  test.each([
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "same-origin", origin: "https://evil.example.org" },
    { origin: "https://spawner.example.org.evil.example" },
    { origin: "null" },
    { origin: "https://spawner.example.org:8443" },
  ])("is refused from another site's: %j", async (headers) => {
    expect(await statusOf(asked(headers))).toBe(403);
  });
});

test("what only reads may be linked to from anywhere", async () => {
  expect(await statusOf(asked({ "sec-fetch-site": "cross-site" }, { method: "GET" }))).toBe(200);
});

describe("a body", () => {
  test("arrives whole within the limit", async () => {
    const guarded = await guardRequest(asked({}, { body: "ä".repeat(512) }), limits);
    expect("request" in guarded && (await guarded.request.text())).toBe("ä".repeat(512));
  });

  test("of one byte more is refused", async () => {
    expect(await statusOf(asked({}, { body: "x".repeat(1025) }))).toBe(413);
  });

  test("without a length is read no further than the limit", async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(512));
      },
    });
    expect(await statusOf(asked({}, { body: endless }))).toBe(413);
    expect(pulled).toBeLessThan(8);
  });

  test("that is announced as too long is not read at all", async () => {
    const request = asked({ "content-length": "5000" }, { body: "short" });
    expect(await statusOf(request)).toBe(413);
    expect(request.bodyUsed).toBe(false);
  });
});
