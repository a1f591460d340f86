import type { BackupReason } from "#db/schema.ts";
import { tidyNames } from "#server/operations/backupUses.ts";
import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

/** Makes a backup now. */
export function backUp(
  beginner: OperationStarter,
  input: { instanceId: string; reason?: BackupReason; batchId?: string },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    kind: "backup",
    who,
    batchId: input.batchId,
    isSame: (live) => input.batchId === undefined || live.batchId === input.batchId,
    plan: (tx, { id, company }) => ({
      what: `backed up ${company}`,
      facts: { reason: input.reason ?? "manual", tidy: tidyNames(tx, id) },
    }),
  });
}
