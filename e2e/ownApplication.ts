import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "playwright/test";
import { z } from "zod";
import { testToken } from "#local-cloud/testing/testToken.ts";
import { account, ports } from "./world.ts";

const processList = z.array(z.object({ name: z.string(), pid: z.number() }));
const hasEnded = (child: ChildProcess) => () => child.exitCode !== null || child.signalCode !== null;

/** An application beside the one that all tests share: for tests that stop it, kill it, or start it otherwise. */
export function createOwnApplication(
  command: "start" | "dev",
  { shift, addressBase }: { shift: number; addressBase: string },
) {
  const own = {
    dashboard: ports.dashboard + shift,
    cloud: ports.cloud + shift,
    edge: ports.edge + shift,
    ssh: ports.ssh + shift,
    web: ports.web + shift,
  };
  const dataDir = mkdtempSync(join(tmpdir(), "spawner-own-"));
  let running: ChildProcess | undefined;

  function launch() {
    const child = spawn(process.execPath, ["start/bootstrap.mjs", command], {
      cwd: join(import.meta.dirname, ".."),
      env: {
        ...process.env,
        PORT: String(own.dashboard),
        LOCAL_CLOUD_PORT: String(own.cloud),
        LOCAL_EDGE_PORT: String(own.edge),
        LOCAL_SSH_PORT: String(own.ssh),
        LOCAL_WEB_PORT: String(own.web),
        LOCAL_ADDRESS_BASE: addressBase,
        LOCAL_BOOT_MS: "1500",
        LOCAL_CLOUD_TOKEN: testToken,
        DATA_DIR: dataDir,
        ADMIN_EMAIL: account.email,
        ADMIN_PASSWORD: account.password,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
    return {
      child,
      said: () => text,
      ended: () => expect.poll(hasEnded(child), { timeout: 30_000 }).toBe(true),
    };
  }

  async function stop(): Promise<void> {
    if (running === undefined || hasEnded(running)()) return;
    running.kill("SIGTERM");
    await expect.poll(hasEnded(running), { timeout: 30_000 }).toBe(true);
  }

  return {
    ports: own,
    dataDir,
    launch,
    stop,
    async up(): Promise<void> {
      const { child, said } = launch();
      running = child;
      await expect.poll(said, { timeout: 120_000 }).toContain("Spawner is ready");
    },
    /** The ids of its processes, as its supervisor has noted them. */
    processIds: () =>
      processList
        .parse(JSON.parse(readFileSync(join(dataDir, "processes.json"), "utf8")))
        .map((one) => one.pid),
    kill: () => running?.kill("SIGKILL"),
    async remove(): Promise<void> {
      await stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
