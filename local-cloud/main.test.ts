import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import { testAuthorization, testToken } from "#local-cloud/testing/testToken.ts";
import { processesOf } from "./droplet/leftProcesses.ts";

let folder = "";
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "local-cloud-main-"));
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

async function start(environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--import", "tsx", path.join(import.meta.dirname, "main.ts")], {
    env: {
      ...process.env,
      DATA_DIR: folder,
      LOCAL_CLOUD_PORT: "0",
      LOCAL_EDGE_PORT: "0",
      LOCAL_SSH_PORT: "4923",
      LOCAL_WEB_PORT: "8923",
      LOCAL_BOOT_MS: "300",
      LOCAL_CLOUD_TOKEN: testToken,
      LOCAL_ADDRESS_BASE: "127.108",
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let out = "";
  let error = "";
  child.stdout.on("data", (part: Buffer) => {
    out += part.toString();
  });
  child.stderr.on("data", (part: Buffer) => {
    error += part.toString();
  });
  const exited = once(child, "exit");
  await vi.waitUntil(() => out.includes("\n") || child.exitCode !== null, { timeout: 20_000 });
  return { child, exited, out: () => out, error: () => error, apiUrl: /http:\S+?(?=,)/.exec(out)?.[0] ?? "" };
}

async function ask(url: string, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    headers: testAuthorization,
    ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
  });
  return response.json();
}

test("the process takes its droplets along, and replaces those of a predecessor that was killed", async () => {
  const first = await start();
  expect(first.out()).toMatch(/^Local cloud: API http:\/\/127\.0\.0\.1:\d+, sites on port \d+\. \S.*\n$/);
  const created = await ask(`${first.apiUrl}/v2/droplets`, {
    name: "survivor",
    size: "s-1vcpu-1gb",
    image: "debian-13-x64",
  });
  const { id } = z.object({ droplet: z.object({ id: z.number() }) }).parse(created).droplet;
  const status = z.object({ droplet: z.object({ status: z.string() }) });
  const droplet = `/v2/droplets/${id}`;
  await vi.waitUntil(
    async () => status.parse(await ask(first.apiUrl + droplet)).droplet.status === "active",
    { timeout: 20_000 },
  );
  const root = realpathSync(path.join(folder, "cloud", "droplets", String(id), "disk"));
  const before = await vi.waitUntil(async () => (await processesOf(root))[0]);
  first.child.kill("SIGKILL");
  await first.exited;

  const second = await start();
  expect(status.parse(await ask(second.apiUrl + droplet)).droplet.status).toBe("active");
  const after = await vi.waitUntil(
    async () => {
      const pids = await processesOf(root);
      return pids.length === 1 && pids[0] !== before ? pids[0] : undefined;
    },
    { timeout: 20_000 },
  );
  expect(after).not.toBe(before);
  second.child.kill("SIGTERM");
  expect(await second.exited).toEqual([0, null]);
  expect(await processesOf(root)).toEqual([]);
});

test("what is wrong is said in one sentence with the variable's name", async () => {
  const first = await start();
  const port = new URL(first.apiUrl).port;
  const second = await start({ LOCAL_CLOUD_PORT: port });
  expect(await second.exited).toEqual([1, null]);
  expect(second.error()).toContain("LOCAL_CLOUD_PORT");
});
