import { and, eq, isNull } from "drizzle-orm";
import { backups, snapshots } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { teamOf, usesOf } from "#server/operations/backupUses.ts";
import { stillUsed } from "#server/operations/purge.ts";
import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import { expectTypedSlug } from "./confirmation.ts";

/** Removes what is kept of a destroyed instance for good. `confirm` must be its slug. */
export function purgeInstance(
  beginner: OperationStarter,
  input: { instanceId: string; confirm: string },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    kind: "purge",
    who,
    plan: (tx, instance) => {
      expectTypedSlug(input.confirm, instance.slug);
      const kept = tx
        .select({ id: snapshots.id })
        .from(snapshots)
        .where(and(eq(snapshots.instanceId, instance.id), isNull(snapshots.removedAt)))
        .all();
      const stored = tx
        .select({ id: backups.id, key: backups.key, operationId: backups.operationId })
        .from(backups)
        .where(and(eq(backups.instanceId, instance.id), isNull(backups.removedAt)))
        .all();
      const uses = usesOf(tx);
      if (kept.some((row) => uses.snapshot(row.id)) || stored.some(uses.backup))
        throw new CommandError("not-now", stillUsed);
      return {
        what: `removed the snapshots and backups of ${instance.company} for good`,
        facts: {
          snapshotIds: kept.map((row) => row.id),
          snapshotTeams: Object.fromEntries(kept.flatMap(({ id }) => teamEntry(id, teamOf(tx, id)))),
          backups: stored.map(({ id, key }) => ({ id, key })),
        },
      };
    },
  });
}

const teamEntry = (id: number, team: string | null): [number, string][] =>
  team === null ? [] : [[id, team]];
