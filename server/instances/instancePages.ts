import { and, asc, gt, lte } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Db, Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";

/** So few that what is done for a page keeps the other work of the process waiting for a few milliseconds. */
export const instancesPerPage = 200;

/** The instances whose ids are greater than `after`, up to and including `upTo`. */
export type Page = { after: string; upTo: string };

/** What a query says of the instances of a page, which it is given as it runs; `id`: the column with their ids. */
export const isOnPage = (id: SQLiteColumn = instances.id) =>
  and(gt(id, given("after")), lte(id, given("upTo")));

const idsAfter = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ id: instances.id })
    .from(instances)
    .where(gt(instances.id, given("after")))
    .orderBy(asc(instances.id))
    .limit(given("size"))
    .prepare(),
);

/**
 * All instances, page by page; between two pages whatever else the process has to do has its turn. Each instance that
 * was there at the beginning is on exactly one page. One that is added meanwhile is on a later page, or on none.
 */
export async function* instancePages(
  { db, wait }: Pick<Clock, "wait"> & { db: Db },
  signal?: AbortSignal,
  size = instancesPerPage,
): AsyncGenerator<Page> {
  for (let after = ""; ; await wait(1, signal)) {
    signal?.throwIfAborted();
    const ids = idsAfter(db).all({ after, size });
    const upTo = ids.at(-1)?.id;
    if (upTo === undefined) return;
    yield { after, upTo };
    if (ids.length < size) return;
    after = upTo;
  }
}
