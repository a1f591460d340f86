import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { identify } from "./identity.ts";
import { logFile } from "./logs.ts";
import { processNotes } from "./processes.ts";
import { type ProcessPlan, pauseBeforeStart, type Supervised, supervise } from "./supervise.ts";
import { freshFolder, until } from "./testing/testProcesses.ts";

const supervised: Supervised[] = [];
afterEach(async () => {
  for (const one of supervised.splice(0)) await one.stop();
});

function start(folder: string, script: string, more: Partial<ProcessPlan> = {}): Supervised {
  const plan: ProcessPlan = {
    name: "worker",
    file: process.execPath,
    args: ["-e", script],
    cwd: folder,
    env: { NODE_ENV: "test" },
    log: logFile(folder, "worker"),
    isReady: (written) => written.includes("ready"),
    ...more,
  };
  const one = supervise(plan, processNotes(folder));
  supervised.push(one);
  return one;
}

const noted = z.array(z.object({ name: z.string(), pid: z.number() }));
function pidOf(folder: string): number | undefined {
  const file = join(folder, "processes.json");
  return existsSync(file) ? noted.parse(JSON.parse(readFileSync(file, "utf8")))[0]?.pid : undefined;
}

test("the pause grows from 0.2 s to 10 s", () => {
  expect([0, 1, 2, 3, 4, 5, 6, 50].map(pauseBeforeStart)).toEqual([
    200, 400, 800, 1600, 3200, 6400, 10_000, 10_000,
  ]);
});

test("a process that is killed is started again, and says so when it is back", async () => {
  const folder = freshFolder();
  let isBack = (): void => {};
  const back = new Promise<void>((done) => {
    isBack = done;
  });
  const one = start(folder, "console.log('ready'); setInterval(() => {}, 1000)", {
    onBackAgain: () => isBack(),
  });
  await one.ready;
  const first = pidOf(folder);
  if (first === undefined) throw new Error("It is not noted");
  process.kill(first, "SIGKILL");
  await back;
  const second = pidOf(folder);
  expect(second).toBeTypeOf("number");
  expect(second).not.toBe(first);
});

test("a process that never becomes ready is given up, with the place of its log", async () => {
  const folder = freshFolder();
  const one = start(folder, "console.log('no'); process.exit(3)", { pause: () => 1 });
  await expect(one.ready).rejects.toThrow(/worker exited with 3, 5 times in a row.*worker\.log/);
  expect(readFileSync(logFile(folder, "worker"), "utf8")).toBe("no\n".repeat(5));
});

test("a program that is not there is a reason, not a crash of the supervisor", async () => {
  const one = start(freshFolder(), "", { file: "/nowhere/node", pause: () => 1 });
  await expect(one.ready).rejects.toThrow(/could not be started/);
});

test("stopping ends it, starts nothing again and leaves no note", async () => {
  const folder = freshFolder();
  const one = start(folder, "console.log('ready'); setInterval(() => {}, 1000)");
  await one.ready;
  const pid = pidOf(folder);
  if (pid === undefined) throw new Error("It is not noted");
  await one.stop();
  expect(identify(pid)).toBeUndefined();
  expect(pidOf(folder)).toBeUndefined();
});

test("stopping in the pause after a crash does not wait for the pause", async () => {
  const folder = freshFolder();
  const one = start(folder, "process.exit(1)", { pause: () => 3_600_000 });
  await until(() => pidOf(folder) !== undefined);
  await one.stop();
  await expect(one.ready).rejects.toThrow(/stopped/);
});
