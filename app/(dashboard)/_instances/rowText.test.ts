import { expect, test } from "vitest";
import { rowText } from "./rowText.ts";

const now = 1_000_000_000;
const well = { status: "running", silentSince: null, destroyedAt: null, operation: null } as const;
const failedBackup = {
  state: "failed",
  label: "Back up",
  failure: { userMessage: "The backup folder couldn't be used.", detail: "" },
} as const;
const answered = { answeredAt: now - 5000, now };

test("an instance that is well says when it last answered", () => {
  expect(rowText(well, answered)).toEqual({ text: "Answered 5 s ago", tone: "quiet" });
});

test("a failed backup of an instance that is well is a warning", () => {
  expect(rowText({ ...well, operation: failedBackup }, answered)).toEqual({
    text: "Back up failed. The backup folder couldn't be used.",
    tone: "warning",
  });
});

test("a failed instance says why, without naming the operation again", () => {
  expect(rowText({ ...well, status: "failed", operation: failedBackup }, answered)).toEqual({
    text: "The backup folder couldn't be used.",
    tone: "plain",
  });
});

test("a destroyed instance says when that was, whatever failed before", () => {
  const gone = {
    ...well,
    status: "destroyed",
    destroyedAt: now - 7_200_000,
    operation: failedBackup,
  } as const;
  expect(rowText(gone, { answeredAt: null, now })).toEqual({ text: "2 h ago", tone: "quiet" });
});
