import { expect, test } from "vitest";
import { instanceRow } from "#app/testing/testViews.ts";
import type { InstanceRow, InstanceStatus } from "#server/api/views.ts";
import { arrange, type Group } from "./grouping.ts";

const row = (id: string, status: InstanceStatus, company = id): InstanceRow => ({
  ...instanceRow(id, status),
  company,
});
const all = { words: "", filter: undefined };
const nobody = new Set<string>();
const shape = (arranged: Map<Group, InstanceRow[]>) =>
  Object.fromEntries([...arranged].map(([group, rows]) => [group, rows.map((one) => one.id)]));

test("by group, by name inside, without what is destroyed", () => {
  const rows = [
    row("b", "running", "Zürn"),
    row("a", "running", "årets"),
    row("c", "failed"),
    row("d", "spawning"),
    row("e", "destroyed"),
  ];
  expect(shape(arrange(rows, all, nobody, new Map()))).toEqual({
    needs: ["c"],
    underWay: ["d"],
    well: ["a", "b"],
    over: [],
  });
  expect(shape(arrange(rows, { words: "", filter: "destroyed" }, nobody, new Map())).over).toEqual(["e"]);
  expect(shape(arrange(rows, { words: "zürn", filter: undefined }, nobody, new Map())).well).toEqual(["b"]);
});

test("a held row stays in its group until it is let go", () => {
  const before = new Map<string, Group>([["d", "underWay"]]);
  const rows = [row("d", "running")];
  expect(shape(arrange(rows, all, new Set(["d"]), before)).underWay).toEqual(["d"]);
  expect(shape(arrange(rows, all, nobody, before)).well).toEqual(["d"]);
});

test("a held row stays in sight although its new status is filtered out, but not against the search", () => {
  const before = new Map<string, Group>([["d", "underWay"]]);
  const rows = [row("d", "destroyed")];
  expect(shape(arrange(rows, all, new Set(["d"]), before)).underWay).toEqual(["d"]);
  expect(shape(arrange(rows, { ...all, words: "other" }, new Set(["d"]), before)).underWay).toEqual([]);
});
