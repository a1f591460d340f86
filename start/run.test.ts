import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type ChildEnv, root } from "./env.ts";
import { takeLock } from "./lock.ts";
import { isPortFree } from "./ports.ts";
import { freshFolder } from "./testProcesses.ts";

/** `npm start` without what it would install first. */
function startSpawner(env: Partial<ChildEnv>): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [join(root, "start/start.ts")], {
    env: { PATH: "/usr/bin:/bin", NODE_ENV: "test", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => {
      said += data.toString();
    });
  return new Promise((done) => child.once("close", (code) => done({ code, said })));
}

test("a second start on the same data folder says that one is running", async () => {
  const dataDir = freshFolder();
  takeLock(join(dataDir, "supervisor.lock"));
  const { code, said } = await startSpawner({ DATA_DIR: dataDir });
  expect(code).toBe(1);
  expect(said).toContain(`The Spawner is already running on ${dataDir} (process ${process.pid})`);
});

test("a port that is in use is named, with who holds it and the variable that chooses another", async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, done));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const { code, said } = await startSpawner({ DATA_DIR: freshFolder(), PORT: String(port) });
  await new Promise((done) => server.close(done));
  expect(code).toBe(1);
  expect(said).toContain(`Port ${port} is in use by`);
  expect(said).toContain(`(process ${process.pid})`);
  expect(said).toContain(`PORT=${port + 1} npm start`);
  expect(await isPortFree(port)).toBe(true);
});

test("a wrong variable is named, and its value is not repeated", async () => {
  const { code, said } = await startSpawner({ DATA_DIR: freshFolder(), PORT: "hunter2" });
  expect(code).toBe(1);
  expect(said).toMatch(/PORT: /);
  expect(said).not.toContain("hunter2");
});

test("only one file here reads the environment", () => {
  const files = ["run.ts", "tools.ts", "services.ts", "build.ts", "postgres.ts", "test.ts", "bench.ts"];
  for (const file of files)
    expect(readFileSync(join(import.meta.dirname, file), "utf8")).not.toContain("process.env");
});
