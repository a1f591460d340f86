import { expect, test } from "vitest";
import { operationView, stepView } from "#app/testing/testViews.ts";
import { whatFailed } from "./whatFailed.ts";

const failed = stepView("install", { state: "failed" });
const wentBack = stepView("rescue", { state: "done", undo: true });
const stuck = stepView("rescue", { state: "failed", undo: true });
const failure = (...steps: Parameters<typeof operationView>[2] & object) => ({
  ...operationView("o1", "failed", steps),
  canRetry: true,
});

test("the step that failed, from which Retry continues", () => {
  expect(whatFailed(failure(stepView("dump", { state: "done" }), failed))).toEqual({
    step: failed,
    retry: "Retry continues from this step.",
  });
});

test("what has gone back starts over", () => {
  expect(whatFailed(failure(failed, wentBack))).toEqual({ step: failed, retry: "Retry starts over." });
  expect(whatFailed(failure(failed, stuck))).toEqual({ step: stuck, retry: "Retry starts over." });
});

test("what was cancelled continues with its undo", () => {
  expect(whatFailed({ ...failure(stuck), cancelRequestedAt: 1 })).toEqual({
    step: stuck,
    retry: "Retry continues from this step.",
  });
});

test("nothing is said of Retry when it would be refused", () => {
  expect(whatFailed({ ...failure(failed), canRetry: false }).retry).toBe("");
});
