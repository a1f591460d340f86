import http from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  act,
  bootedDroplet,
  createClient,
  execute,
  installIntranet,
  recordIdOf,
  startTestCloud,
  type TestCloud,
} from "#local-cloud/testing/testCloud.ts";

let cloud: TestCloud;
let address = "";
let id = 0;
const ask = createClient(() => cloud);
const records = "/domains/intranet.localhost/records";

beforeAll(async () => {
  cloud = await startTestCloud("127.103");
  ({ address, id } = await bootedDroplet(cloud, ask, "site"));
  await ask("POST", "/domains", { name: "intranet.localhost" });
});
afterAll(() => cloud.stop());

const visit = (host: string, requested = "/"): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    http
      .get(
        { port: cloud.edgePort, host: "127.0.0.1", path: requested, headers: { host: `${host}:1` } },
        (answer) => {
          let text = "";
          answer.setEncoding("utf8");
          answer.on("data", (part: string) => {
            text += part;
          });
          answer.on("end", () => resolve({ status: answer.statusCode ?? 0, text }));
        },
      )
      .on("error", reject);
  });

test("the local DNS decides what a name reaches", async () => {
  const before = await visit("acme.intranet.localhost");
  expect(before.status).toBe(404);
  expect(before.text).toContain("<h1>No site at this address</h1>");

  const record = await ask("POST", records, { type: "A", name: "acme", data: address });
  const silent = await visit("acme.intranet.localhost");
  expect(silent.status).toBe(502);
  expect(silent.text).toContain("<h1>This site isn&#39;t responding</h1>");

  await installIntranet(cloud, address, "Acme & Sons");
  const site = await vi.waitUntil(async () => {
    const answer = await visit("ACME.intranet.localhost");
    return answer.status === 200 ? answer : undefined;
  });
  expect(site.text).toContain("<h1>Acme &amp; Sons</h1>");

  await ask("POST", records, { type: "CNAME", name: "www", data: "acme.intranet.localhost." });
  expect((await visit("www.intranet.localhost")).status).toBe(200);
  await ask("POST", records, { type: "A", name: "*.sub", data: address });
  expect((await visit("any.sub.intranet.localhost")).status).toBe(200);

  expect(await act(ask, id, { type: "power_off" })).toBe("completed");
  expect((await visit("acme.intranet.localhost")).status).toBe(502);
  expect(await act(ask, id, { type: "power_on" })).toBe("completed");
  await vi.waitUntil(async () => (await visit("acme.intranet.localhost")).status === 200, {
    timeout: 10_000,
  });

  await ask("DELETE", `${records}/${recordIdOf(record)}`);
  expect((await visit("acme.intranet.localhost")).status).toBe(404);
});

test("who reads waits for a site that restarts, and not for one that is switched off", async () => {
  const record = await ask("POST", records, { type: "A", name: "acme", data: address });
  await vi.waitUntil(async () => (await visit("acme.intranet.localhost")).status === 200, {
    timeout: 10_000,
  });
  expect(await execute(cloud, address, "service stop intranet")).toMatchObject({ code: 0 });
  const during = visit("acme.intranet.localhost");
  // A slow restart: nothing listens for longer than a reader's patience with what never answered.
  const [answer] = await Promise.all([during, execute(cloud, address, "sleep 3; service start intranet")]);
  expect(answer.status).toBe(200);

  expect(await act(ask, id, { type: "power_off" })).toBe("completed");
  expect((await visit("acme.intranet.localhost")).status).toBe(502);
  expect(await act(ask, id, { type: "power_on" })).toBe("completed");
  await ask("DELETE", `${records}/${recordIdOf(record)}`);
});

test("it leads to droplets only, whatever a record says", async () => {
  await ask("POST", records, { type: "A", name: "elsewhere", data: "127.0.0.1" });
  expect((await visit("elsewhere.intranet.localhost")).status).toBe(502);
});

test("streams and websockets pass as they come", async () => {
  await ask("POST", records, { type: "A", name: "live", data: address });
  const program = `
    const server = require("node:http").createServer((request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\\n\\n");
      request.on("close", () => server.emit("left"));
    });
    server.on("upgrade", (request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: upgrade\\r\\n\\r\\n");
      socket.on("error", () => undefined);
      socket.on("data", (data) => socket.write("echo " + data));
    });
    server.listen(process.env.DROPLET_WEB_PORT, process.env.DROPLET_ADDRESS);`;
  const unit = JSON.stringify({ command: ["node", "-e", program] });
  await vi.waitUntil(() => execute(cloud, address, "true").catch(() => undefined));
  const started = await execute(
    cloud,
    address,
    'service stop intranet; cat > "$DROPLET_ROOT/services/live.json"; service start live',
    { stdin: unit },
  );
  expect(started).toMatchObject({ code: 0 });

  const first = await new Promise<string>((resolve, reject) => {
    const request = http.get(
      { port: cloud.edgePort, host: "127.0.0.1", headers: { host: "live.intranet.localhost" } },
      (answer) => {
        // The stream goes on: its first event must not wait for its end.
        answer.once("data", (data: Buffer) => {
          request.destroy();
          resolve(data.toString());
        });
      },
    );
    request.on("error", reject);
  });
  expect(first).toBe("data: first\n\n");

  const echoed = await new Promise<string>((resolve, reject) => {
    let text = "";
    const socket = connect(cloud.edgePort, "127.0.0.1", () =>
      socket.write(
        "GET / HTTP/1.1\r\nhost: live.intranet.localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
      ),
    );
    socket.on("error", reject);
    socket.on("data", (data) => {
      if (text === "") socket.write("hello");
      text += data.toString();
      if (text.includes("echo hello")) {
        socket.destroy();
        resolve(text);
      }
    });
  });
  expect(echoed).toContain("101 Switching Protocols");
});
