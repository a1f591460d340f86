import { expect, test } from "vitest";
import { stepView } from "#app/testing/testViews.ts";
import type { StepView } from "#server/api/views.ts";
import { aboutLeft, companions, position, segments, share, timeLeft } from "./segments.ts";

const step = (name: string, over: Partial<StepView> = {}): StepView =>
  stepView(name, { usualMs: 10_000, slowMs: 20_000, ...over });
const plan = [
  step("one", { state: "done", startedAt: 0, endedAt: 5 }),
  step("left", { fork: 1, branch: 0, state: "running", startedAt: 1000 }),
  step("right", { fork: 1, branch: 1, state: "done", startedAt: 1000, endedAt: 2000 }),
  step("last"),
];

test("a fork is one stretch with a branch for each lane", () => {
  const line = segments(plan);
  expect(
    line.map((stretch) => ("branches" in stretch ? stretch.branches.length : stretch.step.name)),
  ).toEqual(["one", 2, "last"]);
  expect(companions(plan, plan[1] ?? step("x")).map((one) => one.name)).toEqual(["right"]);
});

test("time left: what is known of the longest way, nothing when something is unknown", () => {
  expect(timeLeft(plan, 4000)).toBe(7000 + 10_000);
  expect(timeLeft([...plan, step("new", { usualMs: null })], 4000)).toBeUndefined();
});

test("a running step is never drawn as done", () => {
  expect(share(step("x", { state: "running", startedAt: 0 }), 1e9)).toBeLessThan(1);
  expect(
    share(step("x", { state: "running", startedAt: 0, progress: { index: 12, total: 12 } }), 5),
  ).toBeLessThan(1);
});

test("a step that was left out is not drawn as half done", () => {
  for (const state of ["skipped", "cancelled"] as const)
    expect(share(step("x", { state, startedAt: 0, endedAt: 6000 }), 1e9)).toBe(0);
});

test("words", () => {
  expect([1000, 12_000, 61_000, 120_000].map(aboutLeft)).toEqual([
    "any moment now",
    "about 15 s left",
    "about 1 min 15 s left",
    "about 2 min left",
  ]);
  expect(position(plan)).toBe("Step 2 of 4");
});
