import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { endProcess, identify } from "./identity.ts";
import { processNotes } from "./processes.ts";
import { freshFolder, kill, runScript, runSleeper } from "./testing/testProcesses.ts";

const started: Awaited<ReturnType<typeof runSleeper>>[] = [];
afterEach(async () => {
  for (const { child } of started.splice(0)) await kill(child);
});

async function sleeper() {
  const one = await runSleeper();
  started.push(one);
  return one;
}

test("what a killed predecessor left running is ended, what is to be kept is kept", async () => {
  const folder = freshFolder();
  const [worker, web, postgres] = [await sleeper(), await sleeper(), await sleeper()];
  const predecessor = processNotes(folder);
  predecessor.note("worker", worker.pid);
  predecessor.note("web", web.pid);
  predecessor.note("postgres", postgres.pid);

  expect((await processNotes(folder).endOrphans(["postgres"])).sort()).toEqual(["web", "worker"]);
  expect(identify(worker.pid)).toBeUndefined();
  expect(identify(web.pid)).toBeUndefined();
  expect(identify(postgres.pid)).toBeDefined();
  const left: unknown = JSON.parse(readFileSync(join(folder, "processes.json"), "utf8"));
  expect(left).toMatchObject([{ name: "postgres", pid: postgres.pid }]);
});

test("a stranger that was given a noted process id is left alone", async () => {
  const folder = freshFolder();
  const stranger = await sleeper();
  const notes = processNotes(folder);
  notes.note("worker", stranger.pid);
  const file = join(folder, "processes.json");
  writeFileSync(file, JSON.stringify([{ name: "worker", pid: stranger.pid, startTime: "1" }]));
  expect(await notes.endOrphans()).toEqual([]);
  expect(identify(stranger.pid)).toBeDefined();
});

test("a process that ignores SIGTERM is ended all the same", async () => {
  const deaf = await runScript(
    "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); console.log('here')",
  );
  started.push(deaf);
  const identity = identify(deaf.pid);
  if (identity === undefined) throw new Error("It does not run");
  await endProcess(identity, 50);
  expect(identify(deaf.pid)).toBeUndefined();
});
