import { max } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import type { backups, operations, snapshots } from "#db/schema.ts";

/**
 * The next place in the order in which a table's rows were made. What came first is asked of it and never of a time:
 * the wall clock can be set back.
 */
export function nextSequence(
  tx: Pick<Tx, "select">,
  table: typeof operations | typeof backups | typeof snapshots,
): number {
  const last = tx
    .select({ sequence: max(table.sequence) })
    .from(table)
    .get();
  return (last?.sequence ?? 0) + 1;
}
