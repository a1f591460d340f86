import { eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { type backups, type instances, operations } from "#db/schema.ts";
import { newestGood } from "#server/operations/goodBackups.ts";
import { snapshotsByWorth } from "./backupUses.ts";

type RestorePoint =
  | { from: "snapshot"; id: number; at: number }
  | { from: "backup"; backup: typeof backups.$inferSelect; at: number };

/**
 * What Bring back starts from: the last snapshot of a droplet that answered, or the newest good backup where no such
 * snapshot was taken after it: the droplet had vanished, or never got the backup's data. An instance has one operation at
 * a time: theirs are the order.
 */
export function newestRestorePoint(
  tx: Pick<Tx, "select">,
  { id, snapshotId, snapshotAt }: Pick<typeof instances.$inferSelect, "id" | "snapshotId" | "snapshotAt">,
): RestorePoint | undefined {
  const sequenceOf = (operationId: string | undefined) =>
    tx
      .select({ sequence: operations.sequence })
      .from(operations)
      .where(eq(operations.id, operationId ?? ""))
      .get()?.sequence ?? -1;
  const backup = newestGood(tx, id);
  const [snapshot] = snapshotsByWorth(tx, id);
  const isBackupBetter =
    backup !== undefined &&
    (snapshot?.answered === false || sequenceOf(backup.operationId) > sequenceOf(snapshot?.operationId));
  if (snapshot !== undefined && !isBackupBetter)
    return { from: "snapshot", id: snapshot.id, at: snapshot.takenAt };
  if (backup === undefined && snapshotId !== null)
    return { from: "snapshot", id: snapshotId, at: snapshotAt ?? 0 };
  return backup === undefined
    ? undefined
    : { from: "backup", backup, at: backup.takenAt ?? backup.createdAt };
}
