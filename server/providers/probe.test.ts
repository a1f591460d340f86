import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createProbe } from "./probe.ts";

let respond: (host: string) => { status: number; body: string; location?: string } | undefined = () =>
  undefined;
let server: Server;
let port = 0;
const probe = createProbe();

beforeAll(async () => {
  server = createServer((request, response) => {
    const answer = respond(request.headers.host ?? "");
    if (answer !== undefined)
      response
        .writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location })
        .end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
const url = () => `http://acme.intranet.localhost:${port}`;

test("a name under localhost is this machine, as in a browser, and is asked for by its name", async () => {
  respond = (host) =>
    host === `acme.intranet.localhost:${port}`
      ? { status: 200, body: '{"status":"ok","version":"2.14.0"}' }
      : { status: 404, body: "" };
  expect(await probe.answer(url())).toMatchObject({ ok: true, status: 200, version: "2.14.0" });
});

test("a redirect is not followed", async () => {
  respond = () => ({ status: 302, body: "", location: `${url()}/elsewhere` });
  expect(await probe.answer(url())).toMatchObject({ ok: false, status: 302 });
  respond = () => undefined;
});

test.each([
  [502, "<html>", "It answers with HTTP 502."],
  [200, "<html>hello</html>", "Something else answers there."],
  [200, '{"status":"starting"}', "Something else answers there."],
])("%i with %j is no healthy answer", async (status, body, userMessage) => {
  respond = () => ({ status, body });
  expect(await probe.answer(url())).toMatchObject({ ok: false, userMessage });
});

test("silence, a closed port and an endless answer are sentences, not exceptions", async () => {
  respond = () => undefined;
  expect(await probe.answer(url(), { timeoutMs: 50 })).toMatchObject({
    ok: false,
    userMessage: "It doesn't answer.",
  });
  respond = () => ({ status: 200, body: "x".repeat(1_000_000) });
  expect((await probe.answer(url())).ok).toBe(false);
  expect((await probe.answer("http://x.localhost:1")).userMessage).toBe("Nothing listens there yet.");
});
