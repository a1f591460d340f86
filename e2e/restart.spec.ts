import { type ChildProcess, spawn as start } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type APIRequestContext, expect, test } from "playwright/test";
import { z } from "zod";
import { signIn, spawn, waitUntilRunning } from "./fixtures.ts";
import { account, ports } from "./world.ts";

/** An application of its own, because this test stops it and kills it. */
const shift = 50;
const own = {
  dashboard: ports.dashboard + shift,
  cloud: ports.cloud + shift,
  edge: ports.edge + shift,
  ssh: ports.ssh + shift,
  web: ports.web + shift,
};
const dataDir = mkdtempSync(join(tmpdir(), "spawner-restart-"));
const root = join(import.meta.dirname, "..");
let application: { child: ChildProcess; said: () => string } | undefined;

function launch() {
  const child = start(process.execPath, ["start/bootstrap.mjs", "start"], {
    cwd: root,
    env: {
      ...process.env,
      PORT: String(own.dashboard),
      LOCAL_CLOUD_PORT: String(own.cloud),
      LOCAL_EDGE_PORT: String(own.edge),
      LOCAL_SSH_PORT: String(own.ssh),
      LOCAL_WEB_PORT: String(own.web),
      LOCAL_ADDRESS_BASE: "127.93",
      LOCAL_BOOT_MS: "1500",
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
  return { child, said: () => text };
}

async function up(): Promise<void> {
  application = launch();
  const { said } = application;
  await expect.poll(said, { timeout: 120_000 }).toContain("Spawner is ready");
}

const processList = z.array(z.object({ name: z.string(), pid: z.number() }));
const processIds = () =>
  processList.parse(JSON.parse(readFileSync(join(dataDir, "processes.json"), "utf8"))).map((one) => one.pid);
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const ended = (child: ChildProcess) => () => child.exitCode !== null || child.signalCode !== null;

test.afterAll(async () => {
  if (application !== undefined && !ended(application.child)()) {
    application.child.kill("SIGTERM");
    await expect.poll(ended(application.child), { timeout: 30_000 }).toBe(true);
  }
  rmSync(dataDir, { recursive: true, force: true });
});

const visit = async (request: APIRequestContext): Promise<string> => {
  const headers = { host: `evergreen.intranet.localhost:${own.edge}` };
  const answer = await request.get(`http://127.0.0.1:${own.edge}/`, { headers }).catch(() => undefined);
  return answer === undefined ? "" : answer.text();
};

test("an intranet is the same after a restart, and after kill -9 of everything", async ({
  browser,
  request,
}) => {
  test.setTimeout(300_000);
  await up();
  const second = launch();
  await expect.poll(ended(second.child), { timeout: 30_000 }).toBe(true);
  expect(second.child.exitCode).not.toBe(0);
  expect(second.said()).toMatch(/already|runs/);

  const context = await browser.newContext({ baseURL: `http://localhost:${own.dashboard}` });
  const page = await context.newPage();
  await signIn(page);
  await spawn(page, { company: "Evergreen", slug: "evergreen" });
  await waitUntilRunning(page);
  await request.post(`http://127.0.0.1:${own.edge}/posts`, {
    headers: { host: `evergreen.intranet.localhost:${own.edge}` },
    form: { text: "Here to stay" },
    maxRedirects: 0,
  });
  expect(await visit(request)).toContain("Here to stay");

  const before = processIds();
  application?.child.kill("SIGTERM");
  await expect
    .poll(() => application !== undefined && ended(application.child)(), { timeout: 30_000 })
    .toBe(true);
  await expect.poll(() => before.filter(isAlive), { timeout: 30_000 }).toEqual([]);
  expect(await visit(request)).toBe("");

  await up();
  await expect.poll(() => visit(request), { timeout: 60_000 }).toContain("Here to stay");

  const running = processIds();
  application?.child.kill("SIGKILL");
  for (const pid of running) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  await up();
  await expect.poll(() => visit(request), { timeout: 60_000 }).toContain("Here to stay");
  await page.goto("/instances/evergreen");
  await waitUntilRunning(page);
  await context.close();
});
