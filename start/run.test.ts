import { spawn } from "node:child_process";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "#db/client.ts";
import { signIn } from "#server/auth/sessions.ts";
import { type ChildEnv, root } from "./env.ts";
import { takeLock } from "./lock.ts";
import { findFreePort, isPortFree } from "./ports.ts";
import { freshFolder } from "./testing/testProcesses.ts";

/** `npm start` without what it would install first. It is stopped as soon as it has said `until`. */
function startSpawner(
  env: Partial<ChildEnv>,
  { command = "start", until }: { command?: "start" | "dev"; until?: string } = {},
): Promise<{ code: number | null; said: string }> {
  const child = spawn(process.execPath, [join(root, `start/${command}.ts`)], {
    env: { PATH: "/usr/bin:/bin", NODE_ENV: "test", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (data: Buffer) => {
      said += data.toString();
      if (until !== undefined && said.includes(until)) child.kill();
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

test("the first start shows a password that signs in, and it is written nowhere", async () => {
  const folder = freshFolder();
  const dataDir = join(folder, "data");
  // Nothing further is begun while Ansible does not answer.
  const ansible = (script: string) => {
    for (const name of ["ansible-playbook", "ansible-runner"])
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  };
  ansible("exec sleep 60");
  const env = {
    ...{ DATA_DIR: dataDir, PORT: String(await findFreePort()), ANSIBLE_BIN_DIR: folder },
    ...{ DATABASE_URL: "postgres://127.0.0.1:1/none", BASE_DOMAINS: "intranet.io" },
    ...{ DIGITALOCEAN_TOKEN: "t", DIGITALOCEAN_API_URL: "http://127.0.0.1:1" },
  };
  const first = await startSpawner(env, { command: "dev", until: "(shown this once)" });
  const { password = "" } =
    /Sign in as joe@intranet\.localhost with the password (?<password>\S+) \(shown this once\)/.exec(
      first.said,
    )?.groups ?? {};
  expect(password).toMatch(/^[\w-]{16}$/);

  const { db, connection } = openDatabase(join(dataDir, "spawner.sqlite"));
  const joe = { email: "joe@intranet.localhost", address: "127.0.0.1", now: Date.now() };
  expect(await signIn(db, { ...joe, password })).toMatchObject({ user: { name: "Joe" } });
  expect(await signIn(db, { ...joe, password: `${password}x` })).toBeUndefined();
  connection.close();
  for (const file of globSync("**/*", { cwd: dataDir, withFileTypes: true }))
    if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name)).includes(password)).toBe(false);

  ansible("exit 0");
  const second = await startSpawner(env, { command: "dev", until: "Ansible is ready" });
  expect(second.said).toContain("Ansible is ready");
  expect(second.said).not.toContain("Sign in as");
});

test("only one file here reads the environment", () => {
  const files = ["run.ts", "tools.ts", "services.ts", "build.ts", "postgres.ts", "test.ts", "bench.ts"];
  for (const file of files)
    expect(readFileSync(join(import.meta.dirname, file), "utf8")).not.toContain("process.env");
});
