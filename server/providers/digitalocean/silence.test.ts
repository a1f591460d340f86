import { expect, test } from "vitest";
import { explainSilence } from "./silence.ts";

const post = {
  method: "POST",
  path: "droplets",
  apiUrl: "https://cloud.example",
  timeoutMs: 20,
  givenUp: false,
};
const failed = (code: string) => Object.assign(new Error(`connect ${code}`), { code });
const fetchFailed = (cause: unknown) => new TypeError("fetch failed", { cause });

test("a name with several addresses fails once for each: all must have refused", () => {
  const refused = new AggregateError([failed("ECONNREFUSED"), failed("ENETUNREACH")]);
  expect(explainSilence({ ...post, error: fetchFailed(refused) })).toMatchObject({
    unclear: false,
    detail: expect.stringContaining("ENETUNREACH"),
  });
  const mixed = new AggregateError([failed("ECONNREFUSED"), failed("ECONNRESET")]);
  expect(explainSilence({ ...post, error: fetchFailed(mixed) }).unclear).toBe(true);
});

test("a connection that broke, a time-out and a request given up may have had their effect", () => {
  const timeout = new DOMException("too late", "TimeoutError");
  expect(explainSilence({ ...post, error: fetchFailed(failed("ECONNRESET")) }).unclear).toBe(true);
  expect(explainSilence({ ...post, error: timeout }).unclear).toBe(true);
  expect(explainSilence({ ...post, error: timeout, givenUp: true })).toMatchObject({
    unclear: true,
    userMessage: "The request to DigitalOcean was cancelled.",
  });
  expect(explainSilence({ ...post, method: "GET", error: timeout }).unclear).toBe(false);
});
