import { CommandError } from "#server/commandError.ts";
import { tidyNames } from "#server/operations/backupUses.ts";
import { backupRow, sourceIdOf, sourceOf } from "#server/operations/goodBackups.ts";
import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

/** Puts a backup's data back in place of what its instance holds now. */
export function restoreBackup(
  beginner: OperationStarter,
  { backupId }: { backupId: string },
  who: string,
): string {
  const row = backupRow(beginner.db, backupId);
  if (row === undefined) throw new CommandError("not-found", "This backup doesn't exist.");
  return startOperation(beginner, {
    instanceId: row.instanceId,
    kind: "restore",
    who,
    isSame: ({ facts }) => sourceIdOf(facts) === backupId,
    // In the same transaction as the beginning: retention may have claimed it a moment ago.
    plan: (tx, { id, company }) => ({
      what: `restored a backup of ${company}`,
      facts: { source: sourceOf(backupRow(tx, backupId)), tidy: tidyNames(tx, id) },
    }),
  });
}
