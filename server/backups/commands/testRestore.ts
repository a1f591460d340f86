import { and, eq, inArray } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { operations } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { backupRow, newestGood, sourceIdOf, sourceOf } from "#server/operations/goodBackups.ts";

import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

const isBeingTested = (tx: Pick<Tx, "select">, instanceId: string) =>
  tx
    .select({ id: operations.id })
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, instanceId),
        eq(operations.kind, "test-restore"),
        inArray(operations.state, ["running", "cancelling"]),
      ),
    )
    .get() !== undefined;

/** Restores a backup, or the newest good one of an instance, to a throwaway droplet to see that it can be. */
export function testRestore(
  beginner: OperationStarter,
  input: { instanceId: string; backupId?: string | undefined },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    kind: "test-restore",
    who,
    isSame: ({ facts }) => input.backupId === undefined || sourceIdOf(facts) === input.backupId,
    plan: (tx, { id, company }) => {
      // Each throws away what it finds of the other.
      if (isBeingTested(tx, id))
        throw new CommandError("not-now", "Available once the current test restore has finished.");
      const row = input.backupId === undefined ? newestGood(tx, id) : backupRow(tx, input.backupId);
      if (row === undefined) throw new CommandError("not-now", "There's no good backup yet. Back up first.");
      return {
        what: `tested restoring a backup of ${company}`,
        facts: { source: sourceOf(row), throwaway: true },
      };
    },
  });
}
