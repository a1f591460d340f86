import { groupOf } from "#app/status.tsx";
import type { InstanceRow, InstanceStatus } from "#server/api/views.ts";

export type Group = (typeof groupOf)[InstanceStatus];

export const groups: readonly { key: Group; title: string }[] = [
  { key: "needs", title: "Needs attention" },
  { key: "underWay", title: "In progress" },
  { key: "well", title: "Healthy" },
  { key: "over", title: "Destroyed" },
];

export type Wanted = {
  /** Lower case; empty for all. */
  words: string;
  /** Undefined: every status but Destroyed. */
  filter: InstanceStatus | undefined;
};

const byName = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

/**
 * The list as it is shown: by group, by name inside. The group follows the status, but a row that is held (the
 * pointer or the focus is on it) stays where it was `before`, so that nobody presses what has just moved there.
 */
export function arrange(
  rows: readonly InstanceRow[],
  { words, filter }: Wanted,
  held: ReadonlySet<string>,
  before: ReadonlyMap<string, Group>,
): Map<Group, InstanceRow[]> {
  const arranged = new Map<Group, InstanceRow[]>(groups.map(({ key }) => [key, []]));
  for (const row of rows) {
    if (words !== "" && !`${row.company} ${row.url}`.toLowerCase().includes(words)) continue;
    const stays = held.has(row.id) ? before.get(row.id) : undefined;
    const fits = filter === undefined ? row.status !== "destroyed" : row.status === filter;
    if (fits || stays !== undefined) arranged.get(stays ?? groupOf[row.status])?.push(row);
  }
  for (const group of arranged.values())
    group.sort((a, b) => byName.compare(a.company, b.company) || (a.id < b.id ? -1 : 1));
  return arranged;
}
