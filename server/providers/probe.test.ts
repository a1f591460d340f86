import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
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

/** A server at an intranet's name with a certificate that it signed itself. */
async function tlsServer(folder: string, at = 0) {
  const [key, cert] = [join(folder, `${at}.key`), join(folder, `${at}.pem`)];
  const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", key, "-out", cert];
  const name = ["-subj", "/CN=acme", "-addext", "subjectAltName=DNS:*.intranet.localhost"];
  execFileSync("openssl", ["req", "-x509", "-nodes", ...made, ...name], { stdio: "ignore" });
  const resumed: boolean[] = [];
  const options = { key: readFileSync(key), cert: readFileSync(cert) };
  const intranet = createTlsServer(options, (_request, response) =>
    response.end('{"status":"ok","version":"2.14.0"}'),
  );
  intranet.on("secureConnection", (socket: TLSSocket) => resumed.push(socket.isSessionReused()));
  await new Promise<void>((resolve) => intranet.listen(at, "127.0.0.1", resolve));
  const close = () => new Promise<void>((resolve) => intranet.close(() => resolve()));
  return { ca: options.cert.toString(), port: (intranet.address() as AddressInfo).port, resumed, close };
}

test("a look resumes the last one's session, which another server at that name can't", async () => {
  const folder = mkdtempSync(join(tmpdir(), "spawner-probe-"));
  try {
    const first = await tlsServer(folder);
    const trusting = createProbe({ ca: first.ca });
    const address = `https://acme.intranet.localhost:${first.port}`;
    expect(await trusting.answer(address)).toMatchObject({ ok: true });
    expect(await trusting.answer(address)).toMatchObject({ ok: true });
    expect(first.resumed).toEqual([false, true]);
    await first.close();
    const other = await tlsServer(folder, first.port);
    expect(await trusting.answer(address)).toMatchObject({
      ok: false,
      userMessage: "Its certificate isn't ready yet.",
    });
    await other.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
