import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { settings } from "#db/schema.ts";
import { createClock } from "./clock.ts";
import { createTestEngine } from "./operations/testing/testEngine.ts";

let world: ReturnType<typeof createTestEngine>;
beforeEach(() => {
  world = createTestEngine();
});
afterEach(() => {
  vi.useRealTimers();
  world.close();
});

test("the monotonic clock goes on when the wall clock is set back, in this process and in the next", () => {
  const first = createClock(world.db);
  const before = first.monotonic();
  vi.useFakeTimers({ now: Date.now() - 3_600_000, toFake: ["Date"] });
  expect(first.monotonic()).toBeGreaterThanOrEqual(before);
  expect(createClock(world.db).monotonic()).toBeGreaterThanOrEqual(before);
  vi.useFakeTimers({ now: Date.now() + 7_200_000, toFake: ["Date"] });
  expect(createClock(world.db).monotonic()).toBeLessThan(before + 3_000_000);
});

test("after a reboot it goes on from where it was last seen, though the wall clock is behind", () => {
  const seen = createClock(world.db).monotonic() + 10_000_000;
  const value = JSON.stringify({ boot: "an earlier one", offset: 0, seen });
  world.db.update(settings).set({ value }).where(eq(settings.name, "monotonic-anchor")).run();
  expect(createClock(world.db).monotonic()).toBeGreaterThan(seen);
});
