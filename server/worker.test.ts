import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { testToken } from "#local-cloud/testing/testToken.ts";
import { startPostgres } from "#start/postgres.ts";
import { registry } from "./operations/registry.ts";
import { begin, createTestEngine, insertInstance } from "./operations/testing/testEngine.ts";

/** A DigitalOcean that takes requests and never answers one. */
async function startSilentCloud(): Promise<{ url: string; asked: Promise<unknown> }> {
  const server = createServer();
  const asked = once(server, "request");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** The worker as the supervisor starts it, and what it has said so far. */
function startWorker(env: Record<string, string>): { child: ChildProcess; said: () => string } {
  const child = spawn(process.execPath, ["--import", "tsx", join(import.meta.dirname, "worker.ts")], {
    env: { PATH: process.env.PATH, NODE_ENV: "test", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (part: Buffer) => {
      text += part;
    });
  return { child, said: () => text };
}

test("a worker that is told to stop does not wait for a step that hangs", async () => {
  const world = createTestEngine({ now: Date.now, monotonic: Date.now });
  onTestFinished(() => world.close());
  const postgres = await startPostgres({ dataDir: world.folder, log: () => {} });
  onTestFinished(() => postgres.stop());
  begin(world.engine, insertInstance(world.db, { status: "spawning" }), registry.spawn);
  const cloud = await startSilentCloud();
  const { child, said } = startWorker({
    DATA_DIR: world.folder,
    DATABASE_URL: postgres.url,
    SECRET_KEY: "0123456789abcdef0123",
    DIGITALOCEAN_API_URL: cloud.url,
    LOCAL_CLOUD_TOKEN: testToken,
  });
  const ended = once(child, "exit");
  await Promise.race([cloud.asked, ended.then(() => Promise.reject(new Error(said())))]);
  child.kill("SIGTERM");
  expect(await ended, said()).toEqual([0, null]);
  expect(said()).toContain("steps still running");
});
