import { setTimeout as wait } from "node:timers/promises";
import { eq } from "drizzle-orm";
import type { WorkerUtils } from "graphile-worker";
import { afterEach, beforeEach, expect, test } from "vitest";
import { wakeUps } from "../db/schema.ts";
import { catalogue } from "./operations/catalogue.ts";
import { begin, createTestEngine, insertInstance, realClock } from "./operations/testEngine.ts";
import { createWaker } from "./queue.ts";

type Added = { operationId: string; runAt: Date | undefined; at: number };

let world: ReturnType<typeof createTestEngine>;
let added: Added[];
let isAway: boolean;
let waker: ReturnType<typeof createWaker>;

beforeEach(() => {
  world = createTestEngine(realClock);
  added = [];
  isAway = false;
  const addJob = async (_task: string, payload: unknown, spec: { runAt?: Date } = {}) => {
    if (isAway) throw new Error("PostgreSQL is away");
    added.push({ ...(payload as { operationId: string }), runAt: spec.runAt, at: Date.now() });
  };
  waker = createWaker(world.db, realClock, addJob as unknown as WorkerUtils["addJob"]);
});
afterEach(() => world.close());

/** An operation whose wake-up is due at this time. */
function operationDueAt(dueAt: number): string {
  const id = begin(world.engine, insertInstance(world.db), catalogue.spawn);
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
