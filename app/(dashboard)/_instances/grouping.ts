import type { InstanceRow, InstanceStatus } from "#server/api/views.ts";
import {
  folded,
  groupOf,
  type InstanceGroup,
  listNames,
  rankOf,
  searchWords,
} from "#server/instances/listOrder.ts";

export const groups: readonly { key: InstanceGroup; title: string }[] = [
  { key: "needs", title: "Needs attention" },
  { key: "underWay", title: "In progress" },
  { key: "well", title: "Healthy" },
  { key: "over", title: "Destroyed" },
];

export type Wanted = {
  /** As it was typed; empty for all. */
  search: string;
  /** Undefined: every status but Destroyed. */
  status: InstanceStatus | undefined;
  /** The last row that has been loaded, while there are more; what comes after it waits until they are. */
  upTo?: Place | undefined;
};
type Place = { group: InstanceGroup; name: string; id: string };

const compare = (one: Place, other: Place): number =>
  rankOf(one.group) - rankOf(other.group) ||
  (one.name === other.name
    ? one.id < other.id
      ? -1
      : one.id > other.id
        ? 1
        : 0
    : one.name < other.name
      ? -1
      : 1);

/** Whether the search finds the row, as SQL would. */
function isFound({ company, slug, domain }: InstanceRow, search: string): boolean {
  const words = searchWords(search);
  return folded(company).includes(words) || `${slug}.${domain}`.includes(words);
}

/**
 * The list as it is shown: by group, by name inside. The group follows the status, but a row that is held (the
 * pointer or the focus is on it) stays where it was `before`, so that nobody presses what has just moved there.
 */
export function arrange(
  rows: readonly InstanceRow[],
  { search, status, upTo }: Wanted,
  held: ReadonlySet<string>,
  before: ReadonlyMap<string, InstanceGroup>,
): Map<InstanceGroup, InstanceRow[]> {
  const placed: { place: Place; row: InstanceRow }[] = [];
  for (const row of rows) {
    if (!isFound(row, search)) continue;
    const stays = held.has(row.id) ? before.get(row.id) : undefined;
    const fits = status === undefined ? row.status !== "destroyed" : row.status === status;
    const place = { group: stays ?? groupOf[row.status], name: listNames(row.company).sortName, id: row.id };
    const isLoaded = upTo === undefined || compare(place, upTo) <= 0;
    if (stays !== undefined || (fits && isLoaded)) placed.push({ place, row });
  }
  placed.sort((a, b) => compare(a.place, b.place));
  const arranged = new Map<InstanceGroup, InstanceRow[]>(groups.map(({ key }) => [key, []]));
  for (const { place, row } of placed) arranged.get(place.group)?.push(row);
  return arranged;
}
