import { eq } from "drizzle-orm";
import { z } from "zod";
import { backups, snapshots } from "../../db/schema.ts";
import { manifestKey } from "./backupSteps.ts";
import { defineOperation, done, step } from "./definition.ts";
import { type MachineFacts, machineFacts } from "./machine.ts";

const kept = {
  snapshotIds: z.array(z.number()),
  backups: z.array(z.object({ id: z.string(), key: z.string() })),
};
type Facts = MachineFacts & { snapshotIds: number[]; backups: { id: string; key: string }[] };

/** Removes what is kept of a destroyed instance for good. Its history stays. */
export const purge = defineOperation<Facts>({
  kind: "purge",
  label: "Remove for good",
  facts: z.object({ ...machineFacts, ...kept }).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: true,
  cancelling: "What has been removed is gone. The rest stays, and can be removed later.",
  steps: [
    step("remove-snapshots", "Remove the snapshots", async ({ facts, providers, now }) => {
      const ids = facts.snapshotIds ?? [];
      for (const id of ids) await providers.digitalocean.deleteSnapshot(id);
      return done({
        instance: { snapshotId: null, snapshotAt: null },
        rows: (tx) => {
          for (const id of ids)
            tx.update(snapshots).set({ removedAt: now() }).where(eq(snapshots.id, id)).run();
        },
      });
    }),
    step("remove-backups", "Remove the backups", async ({ facts, providers, now }) => {
      const list = facts.backups ?? [];
      for (const { key } of list) {
        await providers.backups.remove(key);
        await providers.backups.remove(manifestKey(key));
      }
      return done({
        instance: { purgedAt: now(), keptUntil: null },
        rows: (tx) => {
          for (const { id } of list)
            tx.update(backups).set({ state: "removed", removedAt: now() }).where(eq(backups.id, id)).run();
        },
      });
    }),
  ],
  undo: [],
});
