import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { wakeUps } from "#db/schema.ts";
import { advance } from "./operations/engine/advance.ts";
import { defineOperation, step } from "./operations/engine/define.ts";
import { registry } from "./operations/registry.ts";
import { begin, createTestEngine, insertInstance } from "./operations/testing/testEngine.ts";
import { createWatchdog } from "./watchdog.ts";

let world: ReturnType<typeof createTestEngine>;
beforeEach(() => {
  world = createTestEngine();
});
afterEach(() => world.close());

/** A spawn whose one step never ends. */
function endless() {
  const definition = defineOperation({
    ...registry.spawn,
    steps: [step("endless", "Endless", () => new Promise<never>(() => {}))],
  });
  world.engine.registry = { ...registry, spawn: definition };
  return begin(world.engine, insertInstance(world.db), definition);
}
const begun = () => begin(world.engine, insertInstance(world.db), registry.spawn);

/** Looks every five seconds, for two minutes unless it is stalled before; says after how many ms it was. */
function watch(watchdog: ReturnType<typeof createWatchdog>, meanwhile = () => {}): number | undefined {
  const from = world.clock.now;
  while (world.clock.now - from < 120_000) {
    world.clock.now += 5000;
    meanwhile();
    if (watchdog.isStalled()) return world.clock.now - from;
  }
  return undefined;
}

test("a queue from which nothing comes while wake-ups are due is stalled after a minute of it", () => {
  const watchdog = createWatchdog(world.engine, { slots: 20 });
  begun();
  // The wake-up is overdue after a minute, and stays so for another.
  expect(watch(watchdog)).toBe(120_000);
});

test("what was overdue when the process began is given a minute as well", () => {
  begun();
  world.clock.now += 3_600_000;
  expect(watch(createWatchdog(world.engine, { slots: 20 }))).toBe(60_000);
});

test("nothing due, or a long backlog that is being worked off, is not stalled", () => {
  const watchdog = createWatchdog(world.engine, { slots: 20 });
  expect(watch(watchdog)).toBeUndefined();
  begun();
  expect(watch(watchdog, watchdog.taken)).toBeUndefined();
});

test("a claimed step is under way, not overdue, and slots that are all busy are no silence", () => {
  const held = endless();
  void advance(world.engine, held);
  world.db.update(wakeUps).set({ dueAt: 0 }).where(eq(wakeUps.operationId, held)).run();
  // Its worker lives: it renews its lease once a second.
  const [running] = world.engine.worker.running;
  const renewed = () => void advance(world.engine, held);
  renewed();
  expect(running).toBeDefined();
  expect(watch(createWatchdog(world.engine, { slots: 20 }), renewed)).toBeUndefined();
  begun();
  expect(watch(createWatchdog(world.engine, { slots: 1 }), renewed)).toBeUndefined();
});

test("the wall clock has no say in it", () => {
  const watchdog = createWatchdog(world.engine, { slots: 20 });
  begun();
  world.clock.wallAheadMs = 3_600_000;
  expect(watchdog.isStalled()).toBe(false);
  world.clock.wallAheadMs = -3_600_000;
  expect(watch(watchdog)).toBe(120_000);
});
