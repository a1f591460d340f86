import { setTimeout as wait } from "node:timers/promises";
import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { wakeUps } from "#db/schema.ts";
import { registry } from "#server/operations/registry.ts";
import { begin, createTestEngine, insertInstance, realClock } from "#server/operations/testing/testEngine.ts";
import type { AddJob } from "#server/queue.ts";
import { createWaker } from "./wakeUps.ts";

type Added = { operationId: string; runAt: Date | undefined; at: number };

let world: ReturnType<typeof createTestEngine>;
let added: Added[];
let isAway: boolean;
let waker: ReturnType<typeof createWaker>;

beforeEach(() => {
  world = createTestEngine(realClock);
  added = [];
  isAway = false;
  const addJob: AddJob = async (_task, payload, spec = {}) => {
    if (isAway) throw new Error("PostgreSQL is away");
    added.push({ ...payload, runAt: spec.runAt, at: Date.now() });
  };
  waker = createWaker(world.db, realClock, addJob);
});
afterEach(() => world.close());

/** An operation whose wake-up is due at this time. */
function operationDueAt(dueAt: number): string {
  const id = begin(world.engine, insertInstance(world.db), registry.spawn);
  setDue(id, dueAt);
  return id;
}
const setDue = (id: string, dueAt: number) =>
  world.db.update(wakeUps).set({ dueAt, sentAt: null }).where(eq(wakeUps.operationId, id)).run();
const sentAt = (id: string) =>
  world.db.select().from(wakeUps).where(eq(wakeUps.operationId, id)).get()?.sentAt ?? null;
const flushed = () => new Promise((next) => setImmediate(next));
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(5);
}

test("a wake-up that is due is handed over at once", async () => {
  const id = operationDueAt(Date.now() - 5);
  waker.wake(id);
  await until(() => added.length > 0);
  expect(added).toMatchObject([{ operationId: id, runAt: undefined }]);
  // It is on its way: it is not handed over again before its time to get there is over.
  waker.sweep(60_000);
  await flushed();
  expect(added).toHaveLength(1);
  waker.sweep(-1);
  await flushed();
  expect(added).toHaveLength(2);
});

test("one that is due soon is kept, and handed over when it is due and not before", async () => {
  const dueAt = Date.now() + 80;
  const id = operationDueAt(dueAt);
  waker.wake(id);
  await until(() => added.length > 0);
  expect(added[0]?.at).toBeGreaterThanOrEqual(dueAt);
  expect(added).toMatchObject([{ operationId: id, runAt: undefined }]);
});

test("the newest wish counts: an earlier time replaces the one that was kept", async () => {
  const id = operationDueAt(Date.now() + 50_000);
  waker.wake(id);
  await flushed();
  expect(added).toEqual([]);
  setDue(id, Date.now());
  waker.wake(id);
  await until(() => added.length > 0);
  await flushed();
  expect(added).toHaveLength(1);
});

test("one that is far away is left to the queue, with its time", async () => {
  const dueAt = Date.now() + 3_600_000;
  const id = operationDueAt(dueAt);
  waker.wake(id);
  await until(() => sentAt(id) !== null);
  expect(added).toMatchObject([{ operationId: id, runAt: new Date(dueAt) }]);
});

test("what PostgreSQL did not take, and what a former process kept, is swept up", async () => {
  const id = operationDueAt(Date.now());
  isAway = true;
  waker.wake(id);
  await flushed();
  expect(added).toEqual([]);
  isAway = false;
  waker.sweep(3000);
  await until(() => added.length > 0);
  expect(added[0]?.operationId).toBe(id);
});

test("a job that PostgreSQL neither takes nor refuses is given up, and swept up", async () => {
  const late: (() => void)[] = [];
  const clock = {
    ...realClock,
    after: (ms: number, callback: () => void) => {
      if (ms === 10_000) late.push(callback);
      return () => {};
    },
  };
  let isSilent = true;
  const addJob: AddJob = (_task, payload) => {
    if (isSilent) return new Promise<never>(() => {});
    added.push({ ...payload, runAt: undefined, at: Date.now() });
    return Promise.resolve();
  };
  waker = createWaker(world.db, clock, addJob);
  const id = operationDueAt(Date.now());
  waker.wake(id);
  await until(() => late.length > 0);
  isSilent = false;
  // Behind the one that hangs nothing is sent.
  waker.sweep(-1);
  await flushed();
  expect(added).toEqual([]);
  late[0]?.();
  await until(() => added.length > 0);
  expect(added[0]?.operationId).toBe(id);
});

test("of very many only a few are handed over at once, so that none times out in the queue for a connection", async () => {
  const ids = Array.from({ length: 60 }, () => operationDueAt(Date.now() - 5));
  let now = 0;
  let most = 0;
  const slow = createWaker(world.db, realClock, async (_task, payload) => {
    now += 1;
    most = Math.max(most, now);
    await flushed();
    now -= 1;
    added.push({ ...payload, runAt: undefined, at: Date.now() });
  });
  for (const id of ids) slow.wake(id);
  await until(() => added.length === ids.length);
  expect(most).toBe(10);
  expect(new Set(added.map(({ operationId }) => operationId))).toEqual(new Set(ids));
});
