import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { events, instances } from "#db/schema.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { createTestEngine, insertInstance, only } from "#server/operations/testing/testEngine.ts";
import type { Answer, Probe } from "#server/providers/probe.ts";
import { testTimers } from "#server/testing/testTimers.ts";
import { lookAtAll, watchHealth } from "./health.ts";

const good: Answer = { ok: true, status: 200, version: "2.14.0", ms: 7, userMessage: "It answers." };
const silent: Answer = { ok: false, ms: 7, userMessage: "It doesn't answer." };
let world: ReturnType<typeof createTestEngine>;
let misses: Map<string, number>;
let answer: (url: string) => Promise<Answer> | Answer;

beforeEach(() => {
  world = createTestEngine();
  misses = new Map();
  answer = () => good;
  world.engine.providers = only<Providers>("providers", {
    probe: only<Probe>("probe", { answer: async (url) => answer(url) }),
  });
});
afterEach(() => world.close());

const rowOf = (id: string) => world.db.select().from(instances).where(eq(instances.id, id)).get();
const eventCount = () => world.db.select().from(events).all().length;

test("only a change of status is an event; when it answered is written down all the same", async () => {
  const id = insertInstance(world.db);
  for (let round = 0; round < 3; round += 1) {
    world.clock.now += 30_000;
    await lookAtAll(world.engine, misses);
  }
  expect(rowOf(id)).toMatchObject({ status: "running", answeredAt: world.clock.now, answeredInMs: 7 });
  expect(eventCount()).toBe(0);
  answer = () => silent;
  for (let round = 0; round < 4; round += 1) await lookAtAll(world.engine, misses);
  expect(rowOf(id)).toMatchObject({ status: "unreachable", silentSince: world.clock.now });
  expect(eventCount()).toBe(1);
  answer = () => good;
  await lookAtAll(world.engine, misses);
  expect(rowOf(id)).toMatchObject({ status: "running", silentSince: null });
  expect(eventCount()).toBe(2);
});

test("at most fifty are asked at once", async () => {
  for (let count = 0; count < 120; count += 1) insertInstance(world.db);
  let now = 0;
  let most = 0;
  let asked = 0;
  answer = async () => {
    asked += 1;
    now += 1;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now -= 1;
    return good;
  };
  await lookAtAll(world.engine, misses);
  expect([asked, most]).toEqual([120, 50]);
});

test("nothing is remembered of instances that are not looked at any more", async () => {
  const id = insertInstance(world.db);
  answer = () => silent;
  await lookAtAll(world.engine, misses);
  expect(misses.get(id)).toBe(1);
  world.db.update(instances).set({ status: "destroyed" }).where(eq(instances.id, id)).run();
  insertInstance(world.db);
  answer = () => good;
  await lookAtAll(world.engine, misses);
  expect(misses.size).toBe(0);
});

test("a round is one transaction, and a later operation's word counts more", async () => {
  const id = insertInstance(world.db);
  const other = insertInstance(world.db);
  answer = () => {
    world.db.update(instances).set({ status: "updating" }).where(eq(instances.id, id)).run();
    return good;
  };
  let transactions = 0;
  const transaction = world.db.transaction.bind(world.db);
  world.db.transaction = (work, config) => {
    transactions += 1;
    return transaction(work, config);
  };
  await lookAtAll(world.engine, misses);
  expect(transactions).toBe(1);
  expect(rowOf(id)).toMatchObject({ status: "updating", answeredAt: null });
  expect(rowOf(other)).toMatchObject({ answeredAt: world.clock.now });
});

test("is driven by the engine's clock, one round after the other", async () => {
  insertInstance(world.db);
  const timers = testTimers(world.clock);
  world.engine.after = timers.after;
  let asked = 0;
  answer = async () => {
    asked += 1;
    await new Promise<void>((resolve) => timers.after(100_000, resolve));
    return good;
  };
  const health = watchHealth(world.engine);
  await timers.pass(29_000);
  expect(asked).toBe(0);
  await timers.pass(61_000);
  expect(asked).toBe(1);
  await timers.pass(170_000);
  expect(asked).toBe(2);
  health.stop();
  await timers.pass(600_000);
  expect(asked).toBe(2);
});
