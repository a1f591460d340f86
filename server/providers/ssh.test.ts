import { createServer, type Server } from "node:net";
import ssh2 from "ssh2";
import { afterEach, describe, expect, it } from "vitest";
import { sshKeyPair } from "./playbooks/testing/testDroplet.ts";
import { fingerprintOf, scanHostKey } from "./ssh.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

describe("scanHostKey", () => {
  it("tells the key a machine shows, without signing in", async () => {
    const keys = sshKeyPair();
    let signedIn = false;
    const server = new ssh2.Server({ hostKeys: [keys.private] }, (client) => {
      client.on("error", () => undefined);
      client.on("authentication", () => {
        signedIn = true;
      });
    });
    closing.push(() => server.close());
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
    const address: unknown = server.address();
    const key = await scanHostKey({ address: "127.0.0.1", port: portOf(address) });
    expect(key).toBe(keys.public.split(" ").slice(0, 2).join(" "));
    expect(signedIn).toBe(false);
    expect(fingerprintOf(key ?? "")).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it("is undefined where nothing listens", async () => {
    const server = await tcp(() => undefined);
    const port = portOf(server.address());
    await new Promise((closed) => server.close(closed));
    expect(await scanHostKey({ address: "127.0.0.1", port })).toBeUndefined();
  });

  it("is undefined where the connection is reset", async () => {
    const server = await tcp((socket) => socket.resetAndDestroy());
    expect(await scanHostKey({ address: "127.0.0.1", port: portOf(server.address()) })).toBeUndefined();
  });

  it("is undefined where something else answers, or nothing is said", async () => {
    const web = await tcp((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    expect(await scanHostKey({ address: "127.0.0.1", port: portOf(web.address()) })).toBeUndefined();
    const silent = await tcp((socket) => closing.push(() => socket.destroy()));
    expect(
      await scanHostKey({ address: "127.0.0.1", port: portOf(silent.address()), timeoutMs: 50 }),
    ).toBeUndefined();
  });
});

async function tcp(answer: (socket: import("node:net").Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    answer(socket);
  });
  closing.push(() => server.close());
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
  return server;
}

function portOf(address: unknown): number {
  if (
    typeof address === "object" &&
    address !== null &&
    "port" in address &&
    typeof address.port === "number"
  ) {
    return address.port;
  }
  throw new Error("not listening on a port");
}
