import { expect, test } from "vitest";
import type {
  ChangeEvent,
  InstanceDetail,
  InstanceRow,
  LineEvent,
  LogLine,
  OperationView,
} from "#server/api/views.ts";
import {
  applyToBatch,
  applyToDetail,
  applyToLog,
  applyToPages,
  lastAnswer,
  newestChanges,
  operationStates,
} from "./applyEvent.ts";
import { operationView as operation, instanceRow as row } from "./testing/testViews.ts";

const plan: InstanceDetail["backupPlan"] = {
  ...{ every: "never", at: "03:00", weekday: 0, timeZone: "UTC", keepCount: 1, keepDays: 1 },
  ...{ testRestoreEvery: "never", setAt: 0 },
};
const changed = (id: number, next: InstanceRow): ChangeEvent => ({ id, at: 0, kind: "step", row: next });
const line = (id: number): LogLine => ({ id, at: 0, step: "s", text: String(id), failed: false });
const said = (id: number, operationId = "o1"): LineEvent => ({
  id,
  at: 0,
  kind: "log",
  operationId,
  line: line(id),
});

test("what operations start and end by doesn't change with their steps", () => {
  const one = changed(1, row("a", "spawning", operation("o1", "running")));
  const two = changed(2, row("b", "spawning", operation("o2", "running")));
  const step = changed(3, row("a", "spawning", operation("o1", "running")));
  const end = changed(4, row("a", "running", operation("o1", "done")));
  const began = newestChanges([], [one, two]);
  const stepped = newestChanges(began, [step]);
  expect(operationStates(stepped)).toBe(operationStates(began));
  expect(operationStates(newestChanges(stepped, [end]))).not.toBe(operationStates(began));
});

test("a list takes what came after its snapshot, and nothing older", () => {
  const snapshot = { lastEventId: 10, instances: [row("a", "running")] };
  const events = [
    changed(8, row("not-on-the-list", "running")),
    changed(9, row("a", "spawning")),
    changed(11, row("b", "spawning")),
    changed(12, row("b", "running")),
  ];
  expect(applyToPages([snapshot], events).map(({ id, status }) => [id, status])).toEqual([
    ["a", "running"],
    ["b", "running"],
  ]);
});

test("of a row that came with two pages the newer one counts, and an event only where it is newer still", () => {
  const pages = [
    { lastEventId: 10, instances: [row("a", "running"), row("b", "running")] },
    { lastEventId: 20, instances: [row("b", "failed"), row("c", "running")] },
  ];
  const events = [
    changed(12, row("d", "running")),
    changed(15, row("b", "off")),
    changed(16, row("c", "off")),
    changed(21, row("a", "off")),
  ];
  expect(applyToPages(pages, events).map(({ id, status }) => [id, status])).toEqual([
    ["a", "off"],
    ["b", "failed"],
    ["c", "running"],
    // Events alone have told of it, since the first page.
    ["d", "running"],
  ]);
});

test("a detail takes its own row, its operation, and one that is new", () => {
  const instance: InstanceDetail = {
    ...row("a", "spawning"),
    ...{
      contactName: "",
      contactEmail: "",
      ipAddress: null,
      snapshotAt: null,
      bringsBack: null,
      variables: [],
    },
    ...{
      operations: [operation("o1", "running")],
      hasOlderOperations: false,
      resumable: null,
      namesakes: [],
      snapshots: [],
      backups: { count: 0, good: 0, goodBytes: 0, newestGood: null },
      redirects: [],
    },
    ...{
      keepDestroyedDays: 60,
      keptUntil: null,
      purgedAt: null,
      backupPlan: plan,
      nextBackupAt: null,
      previousVariables: null,
    },
  };
  const events = [
    changed(1, row("other", "failed")),
    changed(2, row("a", "running", operation("o1", "done"))),
    changed(3, row("a", "destroying", operation("o2", "running"))),
  ];
  const folded = applyToDetail({ lastEventId: 0, instance }, events);
  expect(folded.status).toBe("destroying");
  expect(folded.operations.map(({ id, state }) => [id, state])).toEqual([
    ["o2", "running"],
    ["o1", "done"],
  ]);
});

test("a log has every line once, and only its own", () => {
  const snapshot = { lastEventId: 2, lines: [line(1), line(2)] };
  const folded = applyToLog(snapshot, [said(2), said(3), said(4, "o2"), said(5)], "o1");
  expect(folded.map(({ id }) => id)).toEqual([1, 2, 3, 5]);
});

test("what was begun together stays as it was begun, whatever its instances do next", () => {
  const mine = (id: string, state: OperationView["state"]) => ({ ...operation(id, state), batchId: "b1" });
  const snapshot = {
    lastEventId: 1,
    instances: [row("a", "backing-up", mine("o1", "running")), row("b", "running")],
  };
  const rows = applyToBatch(
    snapshot,
    [
      changed(2, row("a", "running", mine("o1", "done"))),
      changed(3, row("a", "destroying", operation("o9", "running"))),
      changed(4, row("c", "running", operation("o8", "done"))),
    ],
    "b1",
  );
  expect(rows.map(({ id, status, operation: one }) => [id, status, one?.id, one?.state])).toEqual([
    ["a", "destroying", "o1", "done"],
    ["b", "running", undefined, undefined],
  ]);
});

test("of each operation only the newest change is kept, and the page is the same", () => {
  const snapshot = { lastEventId: 0, instances: [row("a", "running")] };
  const all = [
    changed(1, row("a", "backing-up", operation("o1", "running"))),
    changed(2, row("b", "spawning", operation("o2", "running"))),
    changed(3, row("a", "running", operation("o1", "done"))),
    changed(4, row("a", "destroying", operation("o3", "running"))),
    changed(5, row("a", "destroyed", operation("o3", "done"))),
  ];
  const kept = newestChanges(newestChanges([], all.slice(0, 3)), all.slice(3));
  expect(kept.map(({ id }) => id)).toEqual([2, 3, 5]);
  expect(applyToPages([snapshot], kept)).toEqual(applyToPages([snapshot], all));
  const detail = {
    lastEventId: 0,
    instance: { ...row("a", "running"), operations: [] as OperationView[] } as InstanceDetail,
  };
  expect(applyToDetail(detail, kept)).toEqual(applyToDetail(detail, all));
});

test("a round counts as an answer of every instance that runs, isn't silent and had no operation meanwhile", () => {
  const well = { status: "running", silentSince: null, answeredAt: 5, operation: { endedAt: 7 } } as const;
  expect(lastAnswer(well, undefined)).toBe(5);
  expect(lastAnswer(well, 9)).toBe(9);
  expect(lastAnswer({ ...well, answeredAt: null }, 9)).toBe(9);
  expect(lastAnswer({ ...well, answeredAt: 10 }, 9)).toBe(10);
  expect(lastAnswer({ ...well, operation: null }, 9)).toBe(9);
  expect(lastAnswer({ ...well, operation: { endedAt: 9 } }, 9)).toBe(5);
  expect(lastAnswer({ ...well, operation: { endedAt: null } }, 9)).toBe(5);
  expect(lastAnswer({ ...well, silentSince: 6 }, 9)).toBe(5);
  expect(lastAnswer({ ...well, status: "unreachable" }, 9)).toBe(5);
});
