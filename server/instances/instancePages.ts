import { and, asc, gt, lte } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import type { Db, Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";

/** Small enough that work on one page blocks the process for a few milliseconds only. */
export const instancesPerPage = 200;

/** The instances whose ids are greater than `after`, up to and including `upTo`. */
export type Page = { after: string; upTo: string };

/** A prepared query's condition for the instances of a page, passed when it runs; `id`: the column of their ids. */
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
 * All instances, page by page, letting the process do other work in between. Every instance that existed at the start is
 * on exactly one page. One added meanwhile is on a later page or on none.
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
