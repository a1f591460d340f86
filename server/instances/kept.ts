import { eq } from "drizzle-orm";
import type { Tx } from "../../db/client.ts";
import { type backups, type instances, operations, snapshots } from "../../db/schema.ts";
import { newestGood } from "../backups/queries.ts";

type Kept =
  | { from: "snapshot"; id: number; at: number }
  | { from: "backup"; backup: typeof backups.$inferSelect; at: number };

/**
 * What Bring back starts from: the last snapshot, or the newest good backup where no snapshot was taken after it,
 * because the droplet had vanished. An instance has one operation at a time: theirs are the order.
 */
export function newestKept(
  tx: Pick<Tx, "select">,
  { id, snapshotId, snapshotAt }: typeof instances.$inferSelect,
): Kept | undefined {
  const sequenceOf = (operationId: string | undefined) =>
    tx
      .select({ sequence: operations.sequence })
      .from(operations)
      .where(eq(operations.id, operationId ?? ""))
      .get()?.sequence ?? -1;
  const backup = newestGood(tx, id);
  const snapshot =
    snapshotId === null ? undefined : tx.select().from(snapshots).where(eq(snapshots.id, snapshotId)).get();
  const isBackupNewer =
    backup !== undefined && sequenceOf(backup.operationId) > sequenceOf(snapshot?.operationId);
  if (snapshotId !== null && !(isBackupNewer && snapshot !== undefined))
    return { from: "snapshot", id: snapshotId, at: snapshotAt ?? snapshot?.takenAt ?? 0 };
  return backup === undefined
    ? undefined
    : { from: "backup", backup, at: backup.takenAt ?? backup.createdAt };
}
