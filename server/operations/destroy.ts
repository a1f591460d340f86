import { eq } from "drizzle-orm";
import { z } from "zod";
import { snapshots } from "../../db/schema.ts";
import { appReady } from "./answer.ts";
import {
  defineOperation,
  done,
  later,
  type Outcome,
  poll,
  type StepContext,
  skipped,
  step,
} from "./definition.ts";
import { createDns, removeDns } from "./dns.ts";
import { destroyDroplet } from "./droplet.ts";
import { machineFacts } from "./machine.ts";
import { type ActionFacts, actionFacts, ensureAction, isSwitchedOff, switchOn } from "./power.ts";
import { nextSequence } from "./sequence.ts";

type Facts = ActionFacts & {
  snapshotId: number;
  /** The newest snapshot before this one. */
  previousSnapshotId: number | null;
  previousSnapshotAt: number | null;
};

const facts = z
  .object({
    ...machineFacts,
    ...actionFacts,
    snapshotId: z.number(),
    previousSnapshotId: z.number().nullable(),
    previousSnapshotAt: z.number().nullable(),
  })
  .partial();

const snapshotName = (slug: string, operationId: string) => `${slug}-final-${operationId}`;

/**
 * Takes the final snapshot: switches off first, as DigitalOcean advises for consistency, and is done only when the
 * snapshot exists. Without a droplet (half-built, or vanished) there is nothing to keep.
 */
async function takeSnapshot(context: StepContext<Facts>): Promise<Outcome<Facts>> {
  const { instance, operation, providers, now } = context;
  if (instance.dropletId === null) return skipped();
  const droplet = await providers.digitalocean.getDroplet(instance.dropletId);
  // One that never came to life holds nothing, and DigitalOcean would not take a snapshot of it.
  if (droplet === undefined || droplet.status === "new") return skipped();
  const name = snapshotName(instance.slug, operation.id);
  const taken = (await providers.digitalocean.snapshotsOfDroplet(droplet.id)).find(
    (snapshot) => snapshot.name === name,
  );
  if (taken !== undefined) {
    const takenAt = now();
    const row = {
      id: taken.id,
      instanceId: instance.id,
      operationId: operation.id,
      name,
      answered: instance.answeredAt !== null,
      sizeGb: taken.sizeGb,
    };
    return done({
      facts: {
        snapshotId: taken.id,
        previousSnapshotId: instance.snapshotId,
        previousSnapshotAt: instance.snapshotAt,
      },
      instance: { snapshotId: taken.id, snapshotAt: takenAt },
      rows: (tx) =>
        tx
          .insert(snapshots)
          .values({ ...row, sequence: nextSequence(tx, snapshots), takenAt })
          .onConflictDoNothing()
          .run(),
    });
  }
  if (!(await isSwitchedOff(context, droplet)))
    return later({ afterMs: 500, progress: { label: "Switching off" } });
  await ensureAction(context, droplet, { type: "snapshot", name });
  return later({ progress: { label: "Taking the snapshot" } });
}

/** A cancelled destroy pays for no snapshot. */
async function removeSnapshot({ facts: known, providers, now }: StepContext<Facts>): Promise<Outcome<Facts>> {
  const { snapshotId, previousSnapshotId, previousSnapshotAt } = known;
  if (snapshotId === undefined) return skipped();
  await providers.digitalocean.deleteSnapshot(snapshotId);
  return done({
    facts: { snapshotId: undefined },
    instance: { snapshotId: previousSnapshotId ?? null, snapshotAt: previousSnapshotAt ?? null },
    rows: (tx) => tx.update(snapshots).set({ removedAt: now() }).where(eq(snapshots.id, snapshotId)).run(),
  });
}

const stood = ({ instance }: StepContext<Facts>) => instance.dropletId !== null && instance.address !== null;
const wasOn = (context: StepContext<Facts>) => stood(context) && context.operation.statusBefore !== "off";

/** The end of an instance, and at the same time the undo of a spawn in any half-built state. */
export const destroy = defineOperation<Facts>({
  kind: "destroy",
  label: "Destroy",
  facts,
  status: { during: "destroying", done: "destroyed", cancelled: "before", failed: "failed" },
  mutating: true,
  cancelling:
    "The droplet is switched on again, its DNS record is put back, and the snapshot that was taken is removed. Once the droplet is being destroyed there is no way back but Bring back.",
  steps: [
    poll(
      "snapshot",
      "Take a snapshot",
      {
        everyMs: 1000,
        giveUp: { afterMs: 4 * 3_600_000, sentence: "The snapshot was not complete within 4 hours." },
      },
      takeSnapshot,
    ),
    removeDns("remove-dns", "Remove the DNS record"),
    destroyDroplet("destroy-droplet", "Destroy the droplet", { final: true }),
  ],
  undo: [
    switchOn("undo-off", "Switch the droplet on again", { when: wasOn }),
    step("undo-dns", "Put the DNS record back", async (context) =>
      stood(context) ? createDns("undo-dns", "").run(context) : skipped(),
    ),
    appReady("undo-ready", { when: ({ operation }) => operation.statusBefore === "running" }),
    step("undo-snapshot", "Remove the snapshot", removeSnapshot),
  ],
});
