import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { backups, instances, snapshots } from "#db/schema.ts";
import { unlessPurged } from "#server/instances/rules.ts";
import { beginSnapshotRemoval, usesOf } from "./backupUses.ts";
import { defineOperation, done, type FactsOf, later, StepFailure, step } from "./engine/define.ts";
import { sameAccount } from "./steps/dropletPresence.ts";
import { manifestKey } from "./steps/dump.ts";
import { machineFacts } from "./steps/machineFacts.ts";

const dayMs = 86_400_000;
/** How long a cancelled removal is put off, and a failed one. */
const putOffMs = { cancelled: 7 * dayMs, failed: dayMs };

const facts = {
  ...machineFacts,
  snapshotIds: z.array(z.number()),
  /** The team that each of them belongs to, as far as it is known. */
  snapshotTeams: z.record(z.string(), z.string()),
  backups: z.array(z.object({ id: z.string(), key: z.string() })),
  /** The snapshot and the backup that are claimed. */
  removingSnapshot: z.number(),
  removing: z.string(),
};
type Facts = FactsOf<typeof facts>;

export const stillUsed =
  "One of its backups or snapshots is in use by a restore that is running, or that failed and can be retried.";

/** Claims a backup, so that nothing begins to restore it any more. Throws when something has. */
function claim(tx: Tx, backupId: string, operationId: string): void {
  const row = tx.select().from(backups).where(eq(backups.id, backupId)).get();
  if (row !== undefined && usesOf(tx, operationId).backup(row))
    throw new StepFailure(`${stillUsed} Try again once that's finished.`, `backup ${backupId} is in use`);
  tx.update(backups).set({ state: "removing" }).where(eq(backups.id, backupId)).run();
}

/**
 * Removes what is kept of a destroyed instance for good, one thing after the other. Its history stays. What this has
 * begun to remove, maintenance removes to its end, also when this is cancelled.
 */
export const purge = defineOperation<Facts>({
  kind: "purge",
  label: "Remove for good",
  userMessages: {
    cancelling:
      "Anything already deleted is gone. The rest is kept for at least 7 more days, and costs money until then.",
    cancelled:
      "Anything already deleted is gone. Other snapshots and backups of this instance are kept for at least 7 more days, and cost money until then.",
    failed:
      "Anything already deleted is gone. Other snapshots and backups of this instance may remain and cost money.",
  },
  facts: z.object(facts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: true,
  allowed: (instance) => (instance.status === "destroyed" ? unlessPurged(instance) : "Destroy it first."),
  steps: [
    step("remove-snapshots", "Remove the snapshots", async (context) => {
      const { facts, providers, now } = context;
      const [id, ...rest] = facts.snapshotIds ?? [];
      if (id === undefined) return done({ instance: { snapshotId: null, snapshotAt: null } });
      // That it is not there means something only in the team that it belongs to.
      const accountId = facts.snapshotTeams?.[id] ?? facts.accountId;
      await sameAccount({ ...context, facts: { ...facts, accountId } });
      if (facts.removingSnapshot !== id)
        return later({
          afterMs: 0,
          facts: { removingSnapshot: id },
          rows: (tx) => beginSnapshotRemoval(tx, id, now()),
        });
      await providers.digitalocean.deleteSnapshot(id);
      return later({
        afterMs: 0,
        facts: { snapshotIds: rest },
        rows: (tx) => tx.update(snapshots).set({ removedAt: now() }).where(eq(snapshots.id, id)).run(),
      });
    }),
    step("remove-backups", "Remove the backups", async ({ facts, operation, providers, now }) => {
      const [next, ...rest] = facts.backups ?? [];
      if (next === undefined) return done({ instance: { purgedAt: now(), keptUntil: null } });
      const { id, key } = next;
      if (facts.removing !== id)
        return later({
          afterMs: 0,
          facts: { removing: id },
          rows: (tx) => claim(tx, id, operation.id),
        });
      await providers.backups.remove(key);
      await providers.backups.remove(manifestKey(key));
      return later({
        afterMs: 0,
        facts: { backups: rest },
        rows: (tx) =>
          tx.update(backups).set({ state: "removed", removedAt: now() }).where(eq(backups.id, id)).run(),
      });
    }),
  ],
  ended: (tx, { instanceId }, state, now) => {
    if (state !== "cancelled" && state !== "failed") return;
    const row = tx.select().from(instances).where(eq(instances.id, instanceId)).get();
    const keptUntil = Math.max(row?.keptUntil ?? 0, now + putOffMs[state]);
    tx.update(instances).set({ keptUntil }).where(eq(instances.id, instanceId)).run();
  },
});
