import { eq, sql } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { write } from "#db/client.ts";
import { events, operations, packedLogs } from "#db/schema.ts";
import { lastEventId, watchEvents } from "#server/api/liveFeed.ts";
import type { Env } from "#server/env.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { logLines } from "#server/operations/queries.ts";
import { registry } from "#server/operations/registry.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  operationOf,
} from "#server/operations/testing/testEngine.ts";
import { brokenRules } from "#server/operations/testing/testInvariants.ts";
import { recordPlans } from "#server/testing/testPlans.ts";
import { packOldLogs } from "./oldLogs.ts";

const dayMs = 86_400_000;
let world: ReturnType<typeof createTestEngine>;
let waits: number;
beforeEach(() => {
  waits = 0;
  world = createTestEngine();
  world.engine.wait = async () => {
    waits += 1;
  };
});
afterEach(() => world.close());

/** An operation that ended so many days ago, with so many lines, every one of them said while others went on. */
function ended(daysAgo: number, lines: number, state: "done" | "failed" | "cancelled" = "done"): string {
  const { db, engine } = world;
  const instanceId = insertInstance(db);
  const id = begin(engine, instanceId, registry.restart);
  const endedAt = world.clock.now - daysAgo * dayMs;
  const about = { instanceId, operationId: id };
  write(db, (tx) => {
    for (let index = 0; index < lines; index += 1) {
      const step = index % 2 === 0 ? "shut-down" : "power-on";
      const data = { text: `TASK ${index}: “ok” ${id}\n`, failed: index % 7 === 3 };
      appendEvent(tx, { at: endedAt - lines + index, kind: "log", ...about, step, data });
      if (index % 5 === 0) appendEvent(tx, { at: endedAt, kind: "step", ...about, step });
    }
    tx.update(operations).set({ state, endedAt }).where(eq(operations.id, id)).run();
    appendEvent(tx, { at: endedAt, kind: "operation", ...about, data: { state } });
  });
  return id;
}
const pack = () => packOldLogs(world.engine, new AbortController().signal);
const logRows = (operationId: string) =>
  world.db
    .select()
    .from(events)
    .where(eq(events.operationId, operationId))
    .all()
    .filter(({ kind }) => kind === "log").length;
const everything = () => ({
  events: world.db.select().from(events).all(),
  packed: world.db.select().from(packedLogs).all(),
  operations: world.db.select().from(operations).all(),
});

test("a log reads the same before and after, in parts too, and a second run changes nothing", async () => {
  const short = ended(31, 60);
  const long = ended(32, 1234);
  const silent = ended(33, 0);
  const young = ended(29, 10);
  const failed = ended(400, 10, "failed");
  const over = ended(40, 10, "failed");
  const cancelled = ended(41, 10, "cancelled");
  // A failed operation can be retried until another one changes its instance.
  const { instanceId } = operationOf(world.db, over);
  const next = begin(world.engine, instanceId, registry.restart);
  world.db
    .update(operations)
    .set({ state: "done", endedAt: world.clock.now })
    .where(eq(operations.id, next))
    .run();
  const ids = [short, long, silent, young, failed, over, cancelled];
  const read = () =>
    ids.map((id) => [
      logLines(world.db, id),
      logLines(world.db, id, { step: "power-on" }),
      logLines(world.db, id, { afterId: 700 }),
    ]);
  const before = read();
  const newest = lastEventId(world.db);

  await pack();

  expect(read()).toEqual(before);
  expect(before.map(([all]) => all?.length)).toEqual([60, 1234, 0, 10, 10, 10, 10]);
  expect(ids.map(logRows)).toEqual([0, 0, 0, 10, 10, 0, 0]);
  expect(
    world.db
      .select()
      .from(packedLogs)
      .all()
      .map(({ lines }) => lines),
  ).toEqual([10, 10, 250, 250, 250, 250, 234, 60]);
  expect(lastEventId(world.db)).toBe(newest);
  const after = everything();
  await pack();
  expect(everything()).toEqual(after);
});

test("ids stay without gap, and none is given twice", async () => {
  ended(31, 20);
  await pack();
  const instanceId = insertInstance(world.db);
  const newest = lastEventId(world.db);
  appendEvent(world.db, { at: 1, kind: "instance", instanceId });
  expect(lastEventId(world.db)).toBe(newest + 1);
  const rules = () =>
    brokenRules({
      db: world.db,
      ask: async () => ({ droplets: [], snapshots: [] }),
      isStored: async () => true,
    });
  const gap = expect.stringMatching(/^12:/);
  expect(await rules()).not.toContainEqual(gap);
  world.db.delete(packedLogs).run();
  expect(await rules()).toContainEqual(gap);
});

test("a crash between two parts loses no line, and the next round goes on", async () => {
  const id = ended(31, 1234);
  const before = logLines(world.db, id);
  world.engine.wait = async () => {
    throw new Error("killed");
  };
  await expect(pack()).rejects.toThrow("killed");
  expect(logRows(id)).toBe(984);
  expect(logLines(world.db, id)).toEqual(before);
  world.engine.wait = async () => {};
  await pack();
  expect([logRows(id), logLines(world.db, id)]).toEqual([0, before]);
});

test("a part that would lose a line is not packed", async () => {
  const id = ended(31, 10);
  world.db.run(
    sql`create temp trigger eaten before insert on packed_logs begin delete from events where id = new.first_id; end`,
  );
  await expect(pack()).rejects.toThrow(/9 lines of .* instead of 10/);
  world.db.run(sql`drop trigger eaten`);
  expect(logRows(id)).toBe(10);
});

test("what there is to do in one round is bounded", async () => {
  world.db.run(sql`pragma synchronous = off`);
  for (let count = 0; count < 121; count += 1) ended(31, 1);
  const plans = recordPlans(world.db);
  await pack();
  expect(plans.searches()).toContain("SEARCH operations USING INDEX operations_to_pack (ended_at<?)");
  expect(plans.scans()).toEqual([]);
  expect([waits, world.db.select().from(packedLogs).all().length]).toEqual([120, 120]);
});

test("a page that slept while the log was packed is told every line and every change once, in order", async () => {
  const { db, file } = world;
  // So many that the changes among its lines are more than the feed reads at once.
  const id = ended(31, 6000);
  ended(31, 40);
  const told = async (afterId: number, until: number) => {
    const leaving = new AbortController();
    const live = watchEvents({ databaseFile: file, keepDestroyedDays: 60 } as Env, db);
    const seen: number[] = [];
    for await (const event of live.follow({ afterId, operationId: id, signal: leaving.signal })) {
      seen.push(event.id);
      if (event.id >= until) leaving.abort();
    }
    live.close();
    return seen;
  };
  const newest = lastEventId(db);
  const before = await told(300, newest);
  await pack();
  expect(await told(300, newest)).toEqual(before);
  expect(before.length).toBeGreaterThan(6000);
});
