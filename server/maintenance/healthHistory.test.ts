import { asc, sql } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { healthHours } from "#db/schema.ts";
import { createTestEngine, insertInstance } from "#server/operations/testing/testEngine.ts";
import { removeOldHealthHours } from "./healthHistory.ts";

const hourMs = 3_600_000;
let world: ReturnType<typeof createTestEngine>;
beforeEach(() => {
  world = createTestEngine();
});
afterEach(() => world.close());

test("health history is kept for 90 days, and what is older goes a little at a time", async () => {
  const { db, engine, clock } = world;
  const instanceId = insertInstance(db);
  const counts = { up: 1, slow: 0, down: 0, medianMs: 7, histogram: {} };
  const oldest = clock.now - 90 * 24 * hourMs;
  // The hour in which the 90 days began is still shown in part, and 1,200 earlier ones are not.
  db.run(sql`pragma synchronous = off`);
  for (let index = -1200; index <= 2; index += 1)
    db.insert(healthHours)
      .values({ instanceId, hour: oldest + index * hourMs, ...counts })
      .run();
  const sizes: number[] = [];
  const count = () => db.get<{ rows: number }>(sql`select count(*) as rows from health_hours`).rows;
  let before = count();
  engine.wait = async () => {
    sizes.push(before - count());
    before = count();
  };
  await removeOldHealthHours(engine, new AbortController().signal);
  expect(sizes).toEqual([500, 500]);
  const hours = db.select().from(healthHours).orderBy(asc(healthHours.hour)).all();
  expect(hours.map(({ hour }) => (hour - oldest) / hourMs)).toEqual([0, 1, 2]);
  expect(
    db
      .all<{ detail: string }>(
        sql`explain query plan select rowid from health_hours where hour < 5 limit 500`,
      )
      .map(({ detail }) => detail),
  ).toEqual(["SEARCH health_hours USING COVERING INDEX health_hours_by_hour (hour<?)"]);
});
