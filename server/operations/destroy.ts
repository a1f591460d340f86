import { z } from "zod";
import { defineOperation, done, later, type Outcome, poll, type StepContext, step } from "./definition.ts";
import { type DropletFacts, destroyDroplet, removeDns } from "./droplet.ts";

type Facts = DropletFacts & {
  powerOffAskedAt: number;
  snapshotAction: number;
  snapshotId: number;
  noDroplet: boolean;
};

const facts = z
  .object({
    createAskedAt: z.number(),
    dropletId: z.number(),
    address: z.string(),
    powerOffAskedAt: z.number(),
    snapshotAction: z.number(),
    snapshotId: z.number(),
    noDroplet: z.boolean(),
  })
  .partial();

const snapshotName = (slug: string, operationId: string) => `${slug}-final-${operationId}`;

/**
 * Takes the final snapshot: powers off first, as DigitalOcean advises for consistency, and is done only when the
 * snapshot exists. Without a droplet (half-built, or vanished) there is nothing to keep.
 */
async function takeSnapshot({
  facts: known,
  instance,
  operation,
  providers: { digitalocean },
  remember,
  now,
}: StepContext<Facts>): Promise<Outcome<Facts>> {
  if (instance.dropletId === null) return done({ facts: { noDroplet: true } });
  const droplet = await digitalocean.getDroplet(instance.dropletId);
  // One that never came to life holds nothing, and DigitalOcean would not take a snapshot of it.
  if (droplet === undefined || droplet.status === "new") return done({ facts: { noDroplet: true } });
  const name = snapshotName(instance.slug, operation.id);
  const existing = (await digitalocean.snapshotsOfDroplet(droplet.id)).find(
    (snapshot) => snapshot.name === name,
  );
  if (existing !== undefined)
    return done({
      facts: { snapshotId: existing.id },
      instance: { snapshotId: existing.id, snapshotAt: now() },
    });
  if (known.snapshotAction !== undefined) {
    const action = await digitalocean.getAction(known.snapshotAction);
    if (action.status === "errored") remember({ snapshotAction: undefined });
    return later({ afterMs: 1000, progress: { label: "Taking the snapshot" } });
  }
  if (droplet.status === "active") {
    // Asked again after a minute: the first one may have been lost.
    if (known.powerOffAskedAt === undefined || now() - known.powerOffAskedAt > 60_000) {
      remember({ powerOffAskedAt: now() });
      await digitalocean.dropletAction(droplet.id, { type: "power_off" });
    }
    return later({ afterMs: 500, progress: { label: "Switching off" } });
  }
  const action = await digitalocean.dropletAction(droplet.id, { type: "snapshot", name });
  return later({
    afterMs: 1000,
    facts: { snapshotAction: action.id },
    progress: { label: "Taking the snapshot" },
  });
}

/** The end of an instance, and at the same time the undo of a spawn in any half-built state. */
export const destroy = defineOperation<Facts>({
  kind: "destroy",
  label: "Destroy",
  facts,
  status: { during: "destroying", done: "destroyed", cancelled: "failed" },
  cancellable: false,
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
    step("remove-dns", "Remove the DNS record", removeDns),
    step("destroy-droplet", "Destroy the droplet", destroyDroplet),
  ],
  undo: [],
});
