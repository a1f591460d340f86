import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createOutboxMailer, createResendMailer } from "./mail.ts";

let answer: { status: number; body: unknown } | "silence" = { status: 200, body: { id: "mail-1" } };
const seen: { headers: IncomingHttpHeaders; body: string }[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => {
    body += chunk;
  });
  request.on("end", () => {
    seen.push({ headers: request.headers, body });
    if (answer === "silence") return;
    response
      .writeHead(answer.status, { "content-type": "application/json" })
      .end(JSON.stringify(answer.body));
  });
});
let apiUrl = "";
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const mail = {
  to: "joe@example.org",
  subject: "Ready",
  html: "<p>Ready</p>",
  text: "Ready",
  idempotencyKey: "key-1",
};
const unhurried = new AbortController().signal;
const mailer = () => createResendMailer({ apiKey: "re_secret_key", from: "Spawner <s@example.org>", apiUrl });

test("sends with the idempotency key", async () => {
  expect(await mailer().send(mail, unhurried)).toEqual({ id: "mail-1" });
  expect(seen.at(-1)?.headers["idempotency-key"]).toBe("key-1");
  expect(JSON.parse(seen.at(-1)?.body ?? "")).toMatchObject({ to: "joe@example.org", subject: "Ready" });
});

test.each([
  [
    401,
    { statusCode: 401, name: "invalid_api_key", message: "API key is invalid" },
    { retryable: false, unclear: false },
    /RESEND_API_KEY/,
  ],
  [
    429,
    { statusCode: 429, name: "rate_limit_exceeded", message: "Too many requests" },
    { retryable: true, unclear: false },
    /at the moment/,
  ],
  [
    500,
    { statusCode: 500, name: "internal_server_error", message: "An unexpected error occurred" },
    { retryable: true, unclear: true },
    /at the moment/,
  ],
  [
    409,
    { statusCode: 409, name: "concurrent_idempotent_requests", message: "Same key in progress" },
    { retryable: true, unclear: true },
    /at the moment/,
  ],
  [
    422,
    { statusCode: 422, name: "validation_error", message: "Invalid `to` field" },
    { retryable: false, unclear: false },
    /refused the mail/,
  ],
])("an answer of %i becomes a sentence", async (status, body, kind, userMessage) => {
  answer = { status, body };
  const error: unknown = await mailer()
    .send(mail, unhurried)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ ...kind, userMessage: expect.stringMatching(userMessage) });
  expect(JSON.stringify(error)).not.toContain("re_secret_key");
});

test("silence, and answers of another shape, are errors that are worth another try", async () => {
  const failure = (signal = unhurried): Promise<unknown> =>
    mailer()
      .send(mail, signal)
      .catch((reason: unknown) => reason);
  answer = "silence";
  expect(await failure(AbortSignal.timeout(50))).toMatchObject({ retryable: true, unclear: true });
  answer = { status: 200, body: {} };
  expect(await failure()).toMatchObject({ name: "ProviderError", retryable: true, unclear: true });
  answer = { status: 422, body: { statusCode: 422 } };
  expect(await failure()).toMatchObject({ name: "ProviderError", retryable: false });
});

test("without a key the mail is left for the outbox page", async () => {
  expect(await createOutboxMailer().send(mail, unhurried)).toEqual({ id: "outbox" });
});
