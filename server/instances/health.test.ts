import { eq, sql } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { events, healthHours, instances, operations } from "#db/schema.ts";
import { writeSetting } from "#db/settings.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { registry } from "#server/operations/registry.ts";
import { begin, createTestEngine, insertInstance, only } from "#server/operations/testing/testEngine.ts";
import type { Answer, Probe } from "#server/providers/probe.ts";
import { testTimers } from "#server/testing/testTimers.ts";
import { type HealthMemory, lookAtAll, newHealthMemory, watchHealth } from "./health.ts";
import { lastAnswer, lastDay, lastRound } from "./healthHistory.ts";
import { count, medianOf, noAnswers } from "./healthHours.ts";

const good: Answer = { ok: true, status: 200, version: "2.14.0", ms: 7, userMessage: "It answers." };
const silent: Answer = { ok: false, ms: 7, userMessage: "It doesn't answer." };
let world: ReturnType<typeof createTestEngine>;
let memory: HealthMemory;
let answer: (url: string) => Promise<Answer> | Answer;

beforeEach(() => {
  world = createTestEngine();
  memory = newHealthMemory();
  answer = () => good;
  world.engine.providers = only<Providers>("providers", {
    probe: only<Probe>("probe", { answer: async (url) => answer(url) }),
  });
});
afterEach(() => world.close());

/** Drives the engine's timers by the test's clock. */
function drive() {
  const timers = testTimers(world.clock);
  Object.assign(world.engine, { after: timers.after, wait: timers.wait });
  return timers;
}

const rowOf = (id: string) => world.db.select().from(instances).where(eq(instances.id, id)).get();
const eventCount = () => world.db.select().from(events).all().length;

const lastAnswerOf = (id: string) => {
  const row = rowOf(id);
  return row === undefined ? undefined : lastAnswer(world.db, row, lastRound(world.db));
};
const hoursOf = (id: string) =>
  world.db.select().from(healthHours).where(eq(healthHours.instanceId, id)).all();

test("only silence, its end and a change of status are events, and the time of the last answer is known without one", async () => {
  const id = insertInstance(world.db);
  for (let round = 0; round < 3; round += 1) {
    world.clock.now += 30_000;
    await lookAtAll(world.engine, memory);
    expect(lastAnswerOf(id)).toBe(world.clock.now);
  }
  const answeredAt = world.clock.now;
  expect(rowOf(id)).toMatchObject({ status: "running", answeredAt: answeredAt - 60_000, answeredInMs: 7 });
  expect(eventCount()).toBe(0);
  answer = () => silent;
  const silentSince = world.clock.now + 30_000;
  for (let round = 0; round < 4; round += 1) {
    world.clock.now += 30_000;
    await lookAtAll(world.engine, memory);
    expect(lastAnswerOf(id)).toBe(answeredAt);
  }
  expect(rowOf(id)).toMatchObject({ status: "unreachable", silentSince });
  expect(eventCount()).toBe(2);
  answer = () => good;
  await lookAtAll(world.engine, memory);
  expect(rowOf(id)).toMatchObject({ status: "running", silentSince: null });
  expect(eventCount()).toBe(3);
});

test("of what an operation has kept from being asked nothing is claimed until the next round", async () => {
  const id = insertInstance(world.db, { answeredAt: 5 });
  await lookAtAll(world.engine, memory);
  const answeredAt = world.clock.now;
  world.clock.now += 1000;
  const operationId = begin(world.engine, id, registry["test-restore"]);
  const end = () =>
    world.db
      .update(operations)
      .set({ state: "done", endedAt: world.clock.now })
      .where(eq(operations.id, operationId))
      .run();
  expect([lastAnswerOf(id), rowOf(id)?.answeredAt, answeredAt > 5]).toEqual([null, 5, true]);
  world.clock.now += 1000;
  end();
  expect(lastAnswerOf(id)).toBeNull();
  // What falls silent now has answered at some time, which Destroy and others go by.
  answer = () => silent;
  await lookAtAll(world.engine, memory);
  expect(rowOf(id)?.answeredAt).toBe(5);
  answer = () => good;
  world.clock.now += 30_000;
  await lookAtAll(world.engine, memory);
  expect(lastAnswerOf(id)).toBe(world.clock.now);
  // An operation that itself saw the instance answer says so.
  world.db
    .update(instances)
    .set({ answeredAt: world.clock.now + 500 })
    .where(eq(instances.id, id))
    .run();
  world.clock.now += 1000;
  end();
  expect(lastAnswerOf(id)).toBe(world.clock.now - 500);
});

test("a round is of the moment when it began: who answered first may have fallen silent since", async () => {
  insertInstance(world.db);
  const began = world.clock.now;
  answer = () => {
    world.clock.now += 4000;
    return good;
  };
  await lookAtAll(world.engine, memory);
  expect(lastRound(world.db)).toEqual({ at: began });
});

test("an idle day writes 24 rows for each instance", async () => {
  const ids = Array.from({ length: 3 }, () => insertInstance(world.db, { answeredAt: 1 }));
  world.db.run(sql`pragma synchronous = off`);
  world.db.run(sql`create temp table written (what text)`);
  for (const name of ["health_hours", "instances", "events"])
    for (const change of ["insert", "update", "delete"])
      world.db.run(
        sql.raw(
          `create temp trigger ${name}_${change} after ${change} on ${name} begin insert into written values ('${name}'); end`,
        ),
      );
  const written = () => world.db.get<{ rows: number }>(sql`select count(*) as rows from written`).rows;
  await lookAtAll(world.engine, memory);
  for (let round = 0; round < 2880; round += 1) {
    world.clock.now += 30_000;
    await lookAtAll(world.engine, memory);
  }
  expect(written() / ids.length).toBe(24);
  expect(hoursOf(ids[0] ?? "")).toHaveLength(24);
});

test("an hour's counts and median survive a stop, and a crash loses no more than they", async () => {
  const id = insertInstance(world.db);
  world.clock.now = 1_800_000_000_000;
  const timers = drive();
  const lasting = [8, 2000, 9, 3, 4, 11, 12];
  answer = () => ({ ...good, ms: lasting.shift() ?? 0 });
  const live = async (rounds: number) => {
    const health = watchHealth(world.engine);
    await timers.pass(rounds * 30_000);
    return health;
  };
  const first = await live(3);
  expect(hoursOf(id)).toEqual([]);
  await first.stop();
  expect(hoursOf(id)).toMatchObject([{ up: 2, slow: 1, down: 0, medianMs: 9 }]);
  await (await live(2)).stop();
  expect(hoursOf(id)).toMatchObject([{ up: 4, slow: 1, down: 0, medianMs: 8 }]);
  await live(2);
  // It is killed: nobody stops it, and its successor knows nothing of its rounds.
  expect(lasting).toEqual([]);
  world.clock.now += 3_600_000;
  await lookAtAll(world.engine, memory);
  expect(hoursOf(id)).toMatchObject([{ up: 4, slow: 1 }]);
});

test("hours that cannot be written down when they are over are when the next round can", async () => {
  const id = insertInstance(world.db);
  world.clock.now = 1_800_000_000_000;
  await lookAtAll(world.engine, memory);
  world.clock.now += 3_600_000;
  const transaction = world.db.transaction;
  world.db.transaction = () => {
    throw new Error("database or disk is full");
  };
  await expect(lookAtAll(world.engine, memory)).rejects.toThrow(/full/);
  world.db.transaction = transaction;
  await lookAtAll(world.engine, memory);
  expect(hoursOf(id)).toMatchObject([{ hour: 1_800_000_000_000, up: 1 }]);
});

test("a change of status is written down with what was counted until then", async () => {
  const id = insertInstance(world.db);
  await lookAtAll(world.engine, memory);
  answer = () => silent;
  for (let round = 0; round < 2; round += 1) await lookAtAll(world.engine, memory);
  expect(hoursOf(id)).toEqual([]);
  await lookAtAll(world.engine, memory);
  expect(hoursOf(id)).toMatchObject([{ up: 1, slow: 0, down: 3, medianMs: 7 }]);
  world.clock.now += 3_600_000;
  await lookAtAll(world.engine, memory);
  expect(hoursOf(id)).toMatchObject([{ up: 1, down: 3 }]);
});

test.each([[[7]], [[1, 2, 3]], [[40, 41, 42, 4999]], [[100, 900, 905, 5000, 5001]], [[0, 0, 300, 301, 302]]])(
  "the median of %j is right to within 2.2 percent",
  (times) => {
    const sofar = noAnswers(0);
    for (const ms of times) count(sofar, { ok: true, ms });
    const exact = times[Math.ceil(times.length / 2) - 1] ?? 0;
    const found = medianOf(sofar.histogram) ?? 0;
    expect(Math.abs(found - exact)).toBeLessThanOrEqual(Math.max(0.5, exact * 0.022));
  },
);

test("the last 24 hours are read by index, each as it was", async () => {
  const hour = 3_600_000;
  const now = Math.floor(world.clock.now / hour) * hour + 600_000;
  const nth = (index: number) => now - 600_000 - (23 - index) * hour;
  const id = insertInstance(world.db, { answeredAt: now - 1000 });
  const other = insertInstance(world.db);
  const counts: [id: string, index: number, up: number, slow: number, down: number][] = [
    [id, -1, 0, 0, 120],
    [id, 0, 118, 0, 2],
    [id, 1, 117, 0, 3],
    [id, 2, 50, 70, 0],
    [id, 3, 0, 0, 1],
    [id, 4, 60, 60, 0],
    [other, 5, 120, 0, 0],
  ];
  for (const [instanceId, index, up, slow, down] of counts)
    world.db
      .insert(healthHours)
      .values({ instanceId, hour: nth(index), up, slow, down, medianMs: 9, histogram: {} })
      .run();
  const row = rowOf(id);
  if (row === undefined) throw new Error("no row");
  const { answeredAt, hours } = lastDay(world.db, row, now);
  expect(answeredAt).toBe(now - 1000);
  expect(hours.map((one) => one.hour)).toEqual(Array.from({ length: 24 }, (_, index) => nth(index)));
  expect(hours.map((one) => one.state)).toEqual([
    ...["up", "down", "slow", "down", "slow"],
    ...Array.from({ length: 18 }, () => "unknown"),
    // Its row is written when it is over.
    "up",
  ]);
  const plan = world.db.all<{ detail: string }>(
    sql`explain query plan select * from health_hours where instance_id = ${id} and hour >= ${nth(0)}`,
  );
  expect(plan.map(({ detail }) => detail)).toEqual([
    "SEARCH health_hours USING INDEX sqlite_autoindex_health_hours_1 (instance_id=? AND hour>?)",
  ]);
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
  await lookAtAll(world.engine, memory);
  expect([asked, most]).toEqual([120, 50]);
});

test("nothing is remembered of instances that are not looked at any more", async () => {
  const id = insertInstance(world.db);
  answer = () => silent;
  await lookAtAll(world.engine, memory);
  expect(memory.misses.get(id)).toBe(1);
  world.db.update(instances).set({ status: "destroyed" }).where(eq(instances.id, id)).run();
  insertInstance(world.db);
  answer = () => good;
  await lookAtAll(world.engine, memory);
  expect(memory.misses.size).toBe(0);
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
  await lookAtAll(world.engine, memory);
  expect(transactions).toBe(1);
  expect(rowOf(id)).toMatchObject({ status: "updating", answeredAt: null });
  expect(rowOf(other)).toMatchObject({ answeredAt: world.clock.now });
});

test("silence from before an operation that has ended meanwhile says nothing", async () => {
  const id = insertInstance(world.db, { slug: "broken", answeredAt: 1 });
  const isOf = (url: string) => url.includes("broken");
  answer = (url) => (isOf(url) ? silent : good);
  for (let round = 0; round < 3; round += 1) {
    world.clock.now += 30_000;
    await lookAtAll(world.engine, memory);
  }
  expect(rowOf(id)).toMatchObject({ status: "unreachable" });

  const other = insertInstance(world.db, { slug: "slow" });
  const repaired = { status: "running", answeredAt: world.clock.now + 20_000, silentSince: null } as const;
  answer = (url) => {
    if (isOf(url)) return silent;
    // While another one lets the round wait, it is restarted, and answers.
    begin(world.engine, id, registry.restart);
    world.db.update(operations).set({ state: "done", endedAt: repaired.answeredAt }).run();
    world.db.update(instances).set(repaired).where(eq(instances.id, id)).run();
    return good;
  };
  await lookAtAll(world.engine, memory);
  expect(rowOf(id)).toMatchObject(repaired);
  expect(rowOf(other)).toMatchObject({ answeredAt: world.clock.now });

  // From now on it counts anew.
  answer = (url) => (isOf(url) ? silent : good);
  await lookAtAll(world.engine, memory);
  expect(rowOf(id)).toMatchObject({ status: "running", silentSince: world.clock.now });
});

test("is driven by the engine's clock, one round after the other", async () => {
  insertInstance(world.db);
  const timers = drive();
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
  const stopped = health.stop();
  await timers.pass(600_000);
  await stopped;
  expect(asked).toBe(2);
});

test("one of several workers checks the instances, and another takes over when it stops", async () => {
  const id = insertInstance(world.db);
  world.clock.now = 1_800_000_000_000;
  const timers = drive();
  const asked = { first: 0, second: 0 };
  const watchAs = (name: keyof typeof asked) => {
    const probe = only<Probe>("probe", {
      answer: async () => {
        asked[name] += 1;
        return good;
      },
    });
    return watchHealth({ ...world.engine, providers: only<Providers>("providers", { probe }) });
  };
  const first = watchAs("first");
  await timers.pass(1000);
  const second = watchAs("second");
  await timers.pass(299_000);
  expect(asked).toEqual({ first: 10, second: 0 });
  await first.stop();
  expect(hoursOf(id)).toMatchObject([{ up: 10 }]);
  await timers.pass(60_000);
  expect(asked).toEqual({ first: 10, second: 2 });
  await second.stop();
  expect(hoursOf(id)).toMatchObject([{ up: 12 }]);
});

test("a worker that loses its lease stops checking and discards the round it was in", async () => {
  const id = insertInstance(world.db);
  world.clock.now = 1_800_000_000_000;
  const timers = drive();
  let asked = 0;
  let isHanging = false;
  world.engine.providers = only<Providers>("providers", {
    probe: only<Probe>("probe", {
      answer: (_url, { signal } = {}) => {
        asked += 1;
        return new Promise((resolve) => {
          if (isHanging) signal?.addEventListener("abort", () => resolve(silent), { once: true });
          else resolve(good);
        });
      },
    }),
  });
  const health = watchHealth(world.engine);
  await timers.pass(60_000);
  isHanging = true;
  await timers.pass(30_000);
  expect(asked).toBe(3);
  writeSetting(world.db, "health-lease", { holder: "another", until: world.clock.now + 3_600_000 });
  await timers.pass(600_000);
  expect(asked).toBe(3);
  expect(hoursOf(id)).toMatchObject([{ up: 2, down: 0 }]);
  await health.stop();
});

test("a worker that gets its lease back counts anew", async () => {
  const id = insertInstance(world.db);
  world.clock.now = 1_800_000_000_000;
  const timers = drive();
  let asked = 0;
  answer = () => {
    asked += 1;
    return silent;
  };
  const health = watchHealth(world.engine);
  await timers.pass(60_000);
  expect(asked).toBe(2);
  writeSetting(world.db, "health-lease", { holder: "another", until: world.clock.now + 60_000 });
  await timers.pass(60_000);
  expect(hoursOf(id)).toMatchObject([{ down: 2 }]);
  for (let tries = 0; tries < 5 && asked < 3; tries += 1) await timers.pass(30_000);
  expect(asked).toBe(3);
  // Whoever had the lease meanwhile may have heard an answer.
  expect(rowOf(id)?.status).toBe("running");
  await health.stop();
  expect(hoursOf(id)).toMatchObject([{ down: 3 }]);
});
