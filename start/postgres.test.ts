import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { livingPostmaster, openCluster } from "./cluster.ts";
import { createDatabase, type Postgres, startPostgres } from "./postgres.ts";
import { freshFolder, kill, runScript } from "./testing/testProcesses.ts";

const started: Postgres[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

async function start(dataDir: string): Promise<Postgres> {
  const one = await startPostgres({ dataDir, log: () => {} });
  started.push(one);
  return one;
}

async function ask(url: string, query: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(query)).rows;
  } finally {
    await client.end();
  }
}

test("it starts, keeps databases apart, and stops", async () => {
  const dataDir = freshFolder();
  const { url, stop } = await start(dataDir);
  const [first, second] = [await createDatabase(url, "first one"), await createDatabase(url, "second")];
  await ask(first, "create table mine (id int)");
  expect(await ask(first, "select count(*)::int from mine")).toEqual([{ count: 0 }]);
  await expect(ask(second, "select * from mine")).rejects.toThrow(/does not exist/);
  await stop();
  expect(livingPostmaster((await openCluster(dataDir)).folder)).toBeUndefined();
});

test("one that outlived its killed starter is used again, with its data", async () => {
  const dataDir = freshFolder();
  const module = join(import.meta.dirname, "postgres.ts");
  const starter = await runScript(
    `const { startPostgres } = await import(${JSON.stringify(module)});
     const { url } = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, log() {} });
     console.log(url);
     setInterval(() => {}, 1000);`,
  );
  const url = starter.said.trim();
  await ask(url, "create table kept (id int)");
  await kill(starter.child);

  const { folder } = await openCluster(dataDir);
  const before = livingPostmaster(folder);
  expect(before).toBeDefined();
  const again = await start(dataDir);
  expect(again.url).toBe(url);
  expect(livingPostmaster(folder)).toEqual(before);
  expect(await ask(again.url, "select * from kept")).toEqual([]);
});

/** Root in a container: everything, except for looking into the processes of other users. */
const asInContainer = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"] as const;
const canDropPrivilege =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync(asInContainer[0], [...asInContainer.slice(1), "true"]).status === 0;

test.runIf(canDropPrivilege)("root sees that it lives without the privilege to look into it", async () => {
  const dataDir = freshFolder();
  await start(dataDir);
  const { folder } = await openCluster(dataDir);
  const module = join(import.meta.dirname, "cluster.ts");
  const looker = spawnSync(
    asInContainer[0],
    [
      ...asInContainer.slice(1),
      ...[process.execPath, "--input-type=module", "-e"],
      `const { livingPostmaster } = await import(${JSON.stringify(module)});
       console.log(JSON.stringify(livingPostmaster(${JSON.stringify(folder)}) ?? "nobody"));`,
    ],
    { encoding: "utf8" },
  );
  expect(JSON.parse(looker.stdout)).toEqual(livingPostmaster(folder));
});

test("the note of a postmaster that died does not make one of the process that has its id now", async () => {
  const folder = freshFolder();
  writeFileSync(join(folder, "postmaster.pid"), `${process.pid}\n${folder}\n`);
  expect(livingPostmaster(folder)).toBeUndefined();
});

test("a cluster that was deleted is made anew", async () => {
  const dataDir = freshFolder();
  const before = await start(dataDir);
  await ask(before.url, "create table gone (id int)");
  await before.stop();
  rmSync((await openCluster(dataDir)).folder, { recursive: true });
  const after = await start(dataDir);
  await expect(ask(after.url, "select * from gone")).rejects.toThrow(/does not exist/);
});
