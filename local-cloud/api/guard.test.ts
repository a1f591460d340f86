import http from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestCloud, type TestCloud } from "#local-cloud/testing/testCloud.ts";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";

let cloud: TestCloud;
beforeAll(async () => {
  cloud = await startTestCloud("127.109");
});
afterAll(() => cloud.stop());

/** As `fetch`, but with the headers that only browsers set. */
const send = (path: string, headers: Record<string, string>, method = "GET"): Promise<number> =>
  new Promise((resolve, reject) => {
    const request = http.request(`${cloud.apiUrl}${path}`, { method, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
    });
    request.on("error", reject);
    request.end();
  });
const port = () => new URL(cloud.apiUrl).port;

describe.each(["/v2/account", "/_faults", "/_requests", "/_isolation", "/releases", "/"])("%s", (path) => {
  test("answers to its own names", async () => {
    for (const name of ["127.0.0.1", "localhost"])
      expect(await send(path, { ...testAuthorization, host: `${name}:${port()}` })).toBe(200);
  });

  test("doesn't answer by another name that leads here", async () => {
    for (const name of ["rebound.example", "127.0.0.1.example", "acme.intranet.localhost"])
      expect(await send(path, { ...testAuthorization, host: `${name}:${port()}` })).toBe(403);
  });

  test("doesn't answer to pages of other sites", async () => {
    for (const site of ["cross-site", "same-site"])
      expect(
        await send(path, { ...testAuthorization, "sec-fetch-site": site, "sec-fetch-mode": "cors" }),
      ).toBe(403);
    expect(await send(path, { ...testAuthorization, origin: "http://localhost:3000" })).toBe(403);
    expect(await send(path, { ...testAuthorization, origin: "null" })).toBe(403);
  });
});

test("a link to the front page can be followed, and the page can't be embedded", async () => {
  const visit = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  expect(await send("/", { ...visit, "sec-fetch-dest": "document" })).toBe(200);
  expect(await send("/", { ...visit, "sec-fetch-dest": "iframe" })).toBe(403);
  expect(await send("/v2/tags", { ...visit, "sec-fetch-dest": "document" }, "POST")).toBe(403);
});

test.each(["/_faults", "/_requests", "/_isolation", "/v2/account/keys"])(
  "%s wants the token",
  async (path) => {
    for (const method of ["GET", "POST", "DELETE"]) {
      expect(await send(path, {}, method)).toBe(401);
      expect(await send(path, { authorization: "Bearer guessed" }, method)).toBe(401);
    }
  },
);
