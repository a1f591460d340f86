import { expect, test } from "vitest";
import { differences, type Edited } from "./variableDifference.ts";

const shown = (name: string, value: string | null) => ({ name, value, secret: value === null, setAt: 0 });
const row = (name: string, value: string | null, part: Partial<Edited> = {}): Edited => ({
  name,
  value,
  secret: false,
  kept: false,
  ...part,
});

test("what is added, removed and changed, by name", () => {
  const current = [shown("B", "1"), shown("C", "2"), shown("D", "3")];
  expect(differences(current, [row("A", "0"), row("B", "1"), row("C", "two")])).toEqual([
    { name: "A", change: "added", before: null, after: "0" },
    { name: "C", change: "changed", before: "2", after: "two" },
    { name: "D", change: "removed", before: "3", after: null },
  ]);
});

test("a secret that keeps its value is no difference, and a new one shows none of its own", () => {
  const current = [shown("KEPT", null), shown("NEW", null)];
  const edited = [
    row("KEPT", null, { secret: true, kept: true }),
    row("NEW", "hunter2-hunter2", { secret: true }),
  ];
  expect(differences(current, edited)).toEqual([
    { name: "NEW", change: "changed", before: null, after: null },
  ]);
});

test("a value that becomes a secret is a difference that does not show what it becomes", () => {
  expect(differences([shown("A", "plain")], [row("A", "plain", { secret: true })])).toEqual([
    { name: "A", change: "changed", before: "plain", after: null },
  ]);
});
