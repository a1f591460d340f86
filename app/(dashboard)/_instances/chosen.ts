import { monthlyCents } from "#app/time.ts";
import type { InstanceRow, InstanceStatus, StatusSum } from "#server/api/views.ts";
import type { Selection } from "./useSelection.ts";
import { isLive, total } from "./useSummary.ts";

/** What is chosen: how many, what they cost a month, those that are loaded, and how a command is told. */
export type Chosen = {
  count: number;
  monthlyCents: number;
  rows: InstanceRow[];
  target:
    | { instanceIds: string[] }
    | { matching: { search: string; status?: InstanceStatus; exceptIds: string[] } };
};

/** What the selection means now. `found`: what all that the search finds adds up to. */
export function chosenOf(
  selection: Selection,
  loaded: readonly InstanceRow[],
  shown: readonly InstanceRow[],
  list: { search: string; status: InstanceStatus | undefined; found: readonly StatusSum[] },
): Chosen {
  const isChoosable = (row: InstanceRow) => isLive(row.status);
  const costOf = (rows: readonly InstanceRow[]) => rows.reduce((sum, row) => sum + monthlyCents(row), 0);
  const known = new Map(loaded.map((row) => [row.id, row]));
  const current = (rows: ReadonlyMap<string, InstanceRow>) =>
    [...rows.values()].map((row) => known.get(row.id) ?? row).filter(isChoosable);
  if ("rows" in selection) {
    const rows = current(selection.rows);
    return {
      count: rows.length,
      monthlyCents: costOf(rows),
      rows,
      target: { instanceIds: rows.map((row) => row.id) },
    };
  }
  const { search, status, found } = list;
  const without = current(selection.allBut);
  const all = total(found, (one) => isLive(one) && (status === undefined || one === status));
  return {
    count: all.count - without.length,
    monthlyCents: all.monthlyCents - costOf(without),
    rows: shown.filter((row) => isChoosable(row) && !selection.allBut.has(row.id)),
    target: {
      matching: {
        search,
        ...(status === undefined ? {} : { status }),
        exceptIds: without.map((row) => row.id),
      },
    },
  };
}
