import { expect, test } from "vitest";
import { instanceRow } from "./testing/testViews.ts";
import { age, bytes, clock, counted, duration, monthlyCents, usualDuration, when } from "./time.ts";

const at = (text: string) => new Date(text).getTime();
const now = at("2026-11-23T12:00:00");

test("when: the clock today, the day before that, the date long before", () => {
  expect(when(at("2026-11-23T07:05:00"), now)).toBe("07:05 today");
  expect(when(at("2026-11-22T23:59:00"), now)).toBe("Yesterday, 23:59");
  expect(when(at("2026-11-09T18:47:00"), now)).toBe("Mon 9 Nov, 18:47");
  expect(when(at("2025-11-09T18:47:00"), now)).toBe("9 Nov 2025");
});

test("how long ago, and how long", () => {
  expect([1, 61_000, 3_700_000, 90_000_000, 300_000_000].map((ms) => age(now - ms, now))).toEqual([
    "0 s ago",
    "1 min ago",
    "1 h ago",
    "yesterday",
    "3 days ago",
  ]);
  expect(age(at("2026-10-01T10:00:00"), now)).toBe("1 Oct 2026");
  expect([400, 7000, 65_000].map(duration)).toEqual(["0.4 s", "7.0 s", "1 m 5 s"]);
  expect([40, 7000].map(usualDuration)).toEqual(["under 1 s", "7.0 s"]);
  expect([0, 61_000, 3_661_000].map(clock)).toEqual(["0:00", "1:01", "1:01:01"]);
});

test("sizes in words", () => {
  expect([0, 999, 1500, 1_200_000_000].map(bytes)).toEqual(["0 B", "999 B", "1.5 kB", "1.2 GB"]);
});

test("an instance costs what its droplet costs: nothing before there is one, and once it is gone", () => {
  const row = instanceRow("acme", "failed");
  expect(monthlyCents(row)).toBe(1200);
  expect(monthlyCents({ ...row, dropletId: null })).toBe(0);
  expect(monthlyCents({ ...row, dropletGoneAt: 5 })).toBe(0);
});

test("one of what is named in the plural stands in the singular", () => {
  expect([0, 1, 12].map((count) => counted(count, "posts"))).toEqual(["0 posts", "1 post", "12 posts"]);
});
