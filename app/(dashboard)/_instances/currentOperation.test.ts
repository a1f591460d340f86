import { expect, test } from "vitest";
import { currentOperation } from "./currentOperation.ts";

const backup = { name: "backup", state: "done" as const, canRetry: false };
const failed = { name: "restore", state: "failed" as const, canRetry: true };

test("what runs or was not done comes first", () => {
  const running = { name: "backup", state: "running" as const, canRetry: false };
  expect(currentOperation([running, failed])?.name).toBe("backup");
  expect(currentOperation([failed, backup])?.name).toBe("restore");
});

test("a backup since does not hide what failed and can be retried", () => {
  expect(currentOperation([backup, backup, failed])?.name).toBe("restore");
});

test("what can no longer be taken up is history", () => {
  expect(currentOperation([backup, { ...failed, canRetry: false }])).toBeUndefined();
  expect(currentOperation([])).toBeUndefined();
});
