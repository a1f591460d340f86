import { and, asc, eq, inArray, ne, notInArray, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import {
  groupOf,
  type InstanceGroup,
  instanceGroups,
  rankExpression,
  rankOf,
  searchWords,
} from "#db/listOrder.ts";
import { type InstanceStatus, instanceStatuses, instances } from "#db/schema.ts";
import { type InstanceRow, maxBulk, type StatusSum } from "#server/api/views.ts";
import type { Env } from "#server/env.ts";
import { listedRows } from "./queries.ts";

type Reader = Pick<Tx, "select">;

const pageSize = 50;

/** What the list shows: without a status, every one but Destroyed. */
export const listedInput = z.object({
  search: z.string().max(200).default(""),
  status: z.enum(instanceStatuses).optional(),
});
export type Listed = z.infer<typeof listedInput>;

/** The last row of a page: the next one begins after it, whatever has been added or removed before it meanwhile. */
export const listCursor = z.object({
  group: z.enum(["needs", "underWay", "well", "over"]),
  name: z.string().max(2000),
  id: z.string().max(64),
});
type Cursor = z.infer<typeof listCursor>;

/** Whether an instance is one that the search finds; undefined for one that finds all. */
export function matches(search: string): SQL | undefined {
  const words = searchWords(search);
  if (words === "") return undefined;
  return sql`(instr(${instances.searchName}, ${words}) > 0
    or instr(${instances.slug} || '.' || ${instances.domain}, ${words}) > 0)`;
}

const fits = ({ search, status }: Listed): SQL | undefined =>
  and(
    status === undefined ? ne(instances.status, "destroyed") : eq(instances.status, status),
    matches(search),
  );

/** The groups that the list has, in their order, and which rows of each it shows. */
const partsOf = ({ status }: Listed): { group: InstanceGroup; where: SQL }[] =>
  status !== undefined
    ? [{ group: groupOf[status], where: eq(instances.status, status) }]
    : instanceGroups
        .filter((group) => group !== "over")
        .map((group) => ({
          group,
          where: sql`${sql.raw(rankExpression)} = ${sql.raw(String(rankOf(group)))}`,
        }));

/** A page of the list, by group and by name inside, each group read along its index. */
export function listPage(
  env: Env,
  tx: Tx,
  listed: Listed,
  cursor?: Cursor | null,
): { instances: InstanceRow[]; next: Cursor | null } {
  const found: (typeof instances.$inferSelect)[] = [];
  for (const { group, where } of partsOf(listed)) {
    if (cursor != null && rankOf(group) < rankOf(cursor.group)) continue;
    const after =
      cursor?.group === group
        ? sql`(${instances.sortName}, ${instances.id}) > (${cursor.name}, ${cursor.id})`
        : undefined;
    found.push(
      ...tx
        .select()
        .from(instances)
        .where(and(where, after, matches(listed.search)))
        .orderBy(asc(instances.sortName), asc(instances.id))
        .limit(pageSize + 1 - found.length)
        .all(),
    );
    if (found.length > pageSize) break;
  }
  const page = found.slice(0, pageSize);
  const last = page.at(-1);
  return {
    instances: listedRows(env, tx, page),
    next:
      found.length > pageSize && last !== undefined
        ? { group: groupOf[last.status], name: last.sortName, id: last.id }
        : null,
  };
}

const isPaidFor = sql`${instances.dropletId} is not null and ${instances.dropletGoneAt} is null`;

/** How many instances there are of each status, and what they cost: all, or those that the search finds. */
export const statusSums = (tx: Reader, search = ""): StatusSum[] =>
  tx
    .select({
      status: instances.status,
      count: sql<number>`count(*)`,
      droplets: sql<number>`count(*) filter (where ${isPaidFor})`,
      monthlyCents: sql<number>`coalesce(sum(${instances.priceMonthlyCents}) filter (where ${isPaidFor}), 0)`,
    })
    .from(instances)
    .where(matches(search))
    .groupBy(instances.status)
    .all();

const underWay: readonly InstanceStatus[] = instanceStatuses.filter(
  (status) => groupOf[status] === "underWay",
);
/** So many of them are drawn beside every page. */
const underWayShown = 8;

/** The newest instances with which something is being done. */
export function rowsUnderWay(env: Env, tx: Tx): InstanceRow[] {
  const rows = tx
    .select()
    .from(instances)
    .where(inArray(instances.status, [...underWay]))
    .orderBy(sql`${instances.createdAt} desc`, sql`${instances.id} desc`)
    .limit(underWayShown)
    .all();
  return listedRows(env, tx, rows);
}

/** What the list means besides what of it was taken out again. */
export const matchingInput = listedInput.extend({ exceptIds: z.array(z.string().max(64)).max(maxBulk) });

/** The instances that the list means at this moment, loaded or not; none that is destroyed. */
export const matchingIds = (tx: Reader, { exceptIds, ...listed }: z.infer<typeof matchingInput>): string[] =>
  tx
    .select({ id: instances.id })
    .from(instances)
    .where(and(fits(listed), ne(instances.status, "destroyed"), notInArray(instances.id, exceptIds)))
    .all()
    .map(({ id }) => id);
