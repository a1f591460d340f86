import { expect, test } from "vitest";
import { instanceRow } from "#app/testing/testViews.ts";
import type { InstanceRow, InstanceStatus } from "#server/api/views.ts";
import type { InstanceGroup as Group } from "#server/instances/listOrder.ts";
import { arrange } from "./grouping.ts";

const row = (id: string, status: InstanceStatus, company = id): InstanceRow => ({
  ...instanceRow(id, status),
  company,
});
const all = { search: "", status: undefined };
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
  expect(shape(arrange(rows, { ...all, status: "destroyed" }, nobody, new Map())).over).toEqual(["e"]);
  expect(shape(arrange(rows, { ...all, search: "zürn" }, nobody, new Map())).well).toEqual(["b"]);
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
  expect(shape(arrange(rows, { ...all, search: "other" }, new Set(["d"]), before)).underWay).toEqual([]);
});

test("while more is to be loaded, nothing is shown beyond it but what is held", () => {
  const rows = [row("a", "running"), row("c", "running"), row("d", "failed"), row("e", "running")];
  const wanted = { ...all, upTo: { group: "well" as const, name: "b", id: "b" } };
  const before = new Map<string, Group>([["e", "well"]]);
  const { needs, well } = shape(arrange(rows, wanted, new Set(["e"]), before));
  expect({ needs, well }).toEqual({ needs: ["d"], well: ["a", "e"] });
});

test("numbers in names count, and letters that carry something are found without it", () => {
  const rows = [row("a", "running", "Kund 10"), row("b", "running", "Kund 9"), row("c", "running", "Många")];
  expect(shape(arrange(rows, all, nobody, new Map())).well).toEqual(["b", "a", "c"]);
  for (const search of ["manga", "MÅNGA", "http://c.x.test/"])
    expect(shape(arrange(rows, { ...all, search }, nobody, new Map())).well).toEqual(["c"]);
});
