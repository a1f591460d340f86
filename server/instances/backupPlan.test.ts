import { expect, test } from "vitest";
import { noBackupPlan } from "#db/schema.ts";
import { nextBackup, nextRestoreTest, staleness } from "./backupPlan.ts";

const berlin = { ...noBackupPlan, every: "day" as const, at: "03:30", timeZone: "Europe/Berlin" };
const at = (text: string) => Date.parse(text);

test("every day at that time in its own zone, summer and winter", () => {
  expect(nextBackup(berlin, at("2026-07-01T12:00:00Z"))).toBe(at("2026-07-02T01:30:00Z"));
  expect(nextBackup(berlin, at("2026-12-01T12:00:00Z"))).toBe(at("2026-12-02T02:30:00Z"));
  // The hour that does not exist on the day the clocks go forward does not lose the backup.
  const skipped = nextBackup({ ...berlin, at: "02:30" }, at("2026-03-28T12:00:00Z")) ?? 0;
  expect(skipped).toBeLessThan(at("2026-03-29T12:00:00Z"));
});

test("every week on that day; never is never", () => {
  const weekly = { ...berlin, every: "week" as const, weekday: 1 };
  expect(nextBackup(weekly, at("2026-11-25T00:00:00Z"))).toBe(at("2026-11-30T02:30:00Z"));
  expect(nextBackup(noBackupPlan, 0)).toBeNull();
  expect(nextRestoreTest(noBackupPlan, 0)).toBeNull();
  expect(nextRestoreTest({ ...noBackupPlan, testRestoreEvery: "week" }, 0)).toBe(7 * 86_400_000);
});

test("a good backup that is too old is warned of, in words", () => {
  const hour = 3_600_000;
  const now = at("2026-11-23T12:00:00Z");
  const of = (lastGoodAt: number | null, createdAt = 0) => staleness(berlin, { lastGoodAt, createdAt, now });
  expect(of(now - 30 * hour)).toBeNull();
  expect(of(now - 40 * hour)).toBe("The newest good backup is 40 hours old. One is scheduled every day.");
  expect(of(now - 100 * hour)).toMatch(/4 days old/);
  expect(of(null)).toMatch(/no good one yet/);
  // What was made a moment ago has its first day before it; so has a plan that was just chosen.
  expect(of(null, now - hour)).toBeNull();
  expect(staleness({ ...berlin, setAt: now - hour }, { lastGoodAt: null, createdAt: 0, now })).toBeNull();
  expect(staleness(noBackupPlan, { lastGoodAt: null, createdAt: 0, now })).toBeNull();
});
