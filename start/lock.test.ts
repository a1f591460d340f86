import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { identify } from "./identity.ts";
import { isLeaving, takeLock, waitForLock } from "./lock.ts";
import { freshFolder, kill, runSleeper } from "./testing/testProcesses.ts";

const lockOf = (folder: string) => join(folder, "supervisor.lock");

test("one takes it, the next is told who has it, and it can be taken again once released", () => {
  const file = lockOf(freshFolder());
  const lock = takeLock(file);
  expect(takeLock(file)).toMatchObject({ pid: process.pid });
  if ("release" in lock) lock.release();
  expect(existsSync(file)).toBe(false);
  expect(takeLock(file)).toHaveProperty("release");
});

test("the lock of a process that was killed is taken over", async () => {
  const file = lockOf(freshFolder());
  const { child, pid } = await runSleeper();
  writeFileSync(file, JSON.stringify(identify(pid)));
  expect(takeLock(file)).toMatchObject({ pid });
  await kill(child);
  expect(takeLock(file)).toHaveProperty("release");
});

test("a process id that was used again does not keep a lock alive, nor does half a file", () => {
  const reused = lockOf(freshFolder());
  writeFileSync(reused, JSON.stringify({ pid: process.pid, startTime: "1" }));
  expect(takeLock(reused)).toHaveProperty("release");
  const half = lockOf(freshFolder());
  writeFileSync(half, '{"pid":');
  expect(takeLock(half)).toHaveProperty("release");
});

test("an owner whose launcher was killed is known to be leaving", async () => {
  const file = lockOf(freshFolder());
  const { child, pid } = await runSleeper();
  takeLock(file, pid);
  const owner = takeLock(file);
  if ("release" in owner) throw new Error("The lock was not held");
  expect(isLeaving(owner)).toBe(false);
  await kill(child);
  expect(isLeaving(owner)).toBe(true);
});

test("who waits gets it when the owner ends", async () => {
  const file = lockOf(freshFolder());
  const { child, pid } = await runSleeper();
  writeFileSync(file, JSON.stringify(identify(pid)));
  const waited: number[] = [];
  const lock = waitForLock(file, (owner) => {
    waited.push(owner.pid);
    void kill(child);
  });
  expect(await lock).toHaveProperty("release");
  expect(waited).toEqual([pid]);
});
