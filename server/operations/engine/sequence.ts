import { max } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { prepared } from "#db/prepared.ts";
import { backups, operations, snapshots } from "#db/schema.ts";

type Table = typeof operations | typeof backups | typeof snapshots;
const largest = prepared((tx: Pick<Tx, "select">) => {
  const of = (table: Table) =>
    tx
      .select({ sequence: max(table.sequence) })
      .from(table)
      .prepare();
  return new Map([operations, backups, snapshots].map((table) => [table, of(table)]));
});

/**
 * The next place in the order in which a table's rows were made. What came first is asked of it and never of a time:
 * the wall clock can be set back.
 */
export const nextSequence = (tx: Pick<Tx, "select">, table: Table): number =>
  (largest(tx).get(table)?.get()?.sequence ?? 0) + 1;
