import { inArray } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { snapshots } from "#db/schema.ts";
import { beginSnapshotRemoval } from "#server/operations/backupUses.ts";
import {
  done,
  type FactsOf,
  later,
  type Outcome,
  poll,
  type Step,
  type StepContext,
  skipped,
  step,
} from "#server/operations/engine/define.ts";
import { nextSequence } from "#server/operations/engine/sequence.ts";
import { findDroplet, sameAccount, secondLookMs } from "./dropletPresence.ts";
import { actionFacts, actionsOf, askedFor, ensureAction, isSwitchedOff, isUnderWay } from "./power.ts";

export const snapshotFacts = {
  ...actionFacts,
  snapshotId: z.number(),
  /** Snapshots that an undo has begun to remove. */
  removingSnapshots: z.array(z.number()),
};
export type SnapshotFacts = FactsOf<typeof snapshotFacts>;
type Context = StepContext<SnapshotFacts>;
type FoundSnapshot = { id: number; name: string; sizeGb: number };

const withinMs = 4 * 3_600_000;
/** How long after its action's end, or after a call whose answer was lost, a snapshot may take to be listed. */
const listedWithinMs = 60_000;

/** A snapshot takes minutes to hours: the longer it takes, the rarer it is looked at. */
const nextLook = ({ elapsed }: Pick<Context, "elapsed">) => Math.min(30_000, Math.max(1000, elapsed() / 60));

/** By its name a snapshot is found again, whatever its slug was at the time. */
const ending = (operationId: string) => `-final-${operationId}`;
/** The operation that took this snapshot; undefined when it was none of ours. */
export const operationOfSnapshot = (name: string): string | undefined =>
  /-final-([0-9a-z]+)$/.exec(name)?.[1];

/** Writes down a snapshot that was taken of the instance; for an outcome's rows. `answered`: its droplet was an intranet. */
export function keepSnapshot(
  tx: Tx,
  { id, name, sizeGb }: FoundSnapshot,
  of: {
    instanceId: string;
    operationId: string;
    accountId: string | null;
    takenAt: number;
    answered: boolean;
  },
): void {
  tx.insert(snapshots)
    .values({ id, name, sizeGb, ...of, sequence: nextSequence(tx, snapshots) })
    .onConflictDoNothing()
    .run();
}

/**
 * Takes the final snapshot: switches off first, as DigitalOcean advises for consistency, and is done only when the
 * snapshot exists. Of a droplet that is gone, or never came to life, there is nothing to keep.
 */
export const takeSnapshot = (name: string, label: string): Step<SnapshotFacts> =>
  poll(
    name,
    label,
    {
      everyMs: 1000,
      giveUp: { afterMs: withinMs, userMessage: "The snapshot wasn't complete within 4 hours." },
    },
    async (context) => {
      const { instance, operation, providers, now } = context;
      const { dropletId } = instance;
      const taking = () =>
        later<SnapshotFacts>({ afterMs: nextLook(context), progress: { label: "Taking the snapshot" } });
      // While the action is in progress, checking it is enough: one request each time.
      if (await isUnderWay(context, "snapshot")) return taking();
      const nothing = (why: string) => [{ at: now(), text: `${why} There's nothing to take a snapshot of.` }];
      if (dropletId === null) return skipped({ log: nothing("It has no droplet.") });
      const droplet = await findDroplet(context, dropletId);
      if (droplet === "unclear")
        return later({
          afterMs: secondLookMs,
          progress: { label: "Checking whether the droplet is still there" },
        });
      if (droplet === "gone")
        return skipped({
          instance: { dropletGoneAt: instance.dropletGoneAt ?? now() },
          log: nothing("Its droplet is gone at DigitalOcean."),
        });
      // DigitalOcean would not take a snapshot of one that never started.
      if (droplet.status === "new" && instance.answeredAt === null)
        return skipped({ facts: { keptDropletId: dropletId }, log: nothing("Its droplet never started.") });
      const isGoingOff = droplet.status !== "off" && askedFor(context, "shutdown") !== undefined;
      const listed = isGoingOff ? [] : await providers.digitalocean.snapshotsOfDroplet(dropletId);
      const taken = listed.find((one) => one.name.endsWith(ending(operation.id)));
      if (taken !== undefined) return kept(context, dropletId, taken);
      if (!(await isSwitchedOff(context, droplet)))
        return later({ afterMs: 500, progress: { label: "Switching off" } });
      const wanted = `${instance.slug}${ending(operation.id)}`;
      await ensureAction(context, droplet, { type: "snapshot", name: wanted });
      return taking();
    },
  );

function kept(context: Context, dropletId: number, taken: FoundSnapshot): Outcome<SnapshotFacts> {
  const { instance, operation, now } = context;
  const takenAt = now();
  return done({
    facts: { snapshotId: taken.id, keptDropletId: dropletId },
    instance: { snapshotId: taken.id, snapshotAt: takenAt },
    rows: (tx) =>
      keepSnapshot(tx, taken, {
        ...{ instanceId: instance.id, operationId: operation.id, accountId: instance.accountId, takenAt },
        answered: instance.answeredAt !== null,
      }),
  });
}

/** Waits until DigitalOcean has ended the snapshot that was under way: it does nothing else with the droplet before. */
export const settleSnapshot = (name: string, label: string): Step<SnapshotFacts> =>
  poll(
    name,
    label,
    {
      everyMs: 1000,
      giveUp: {
        afterMs: withinMs,
        userMessage: "DigitalOcean didn't finish the snapshot within 4 hours. Retry keeps waiting.",
      },
    },
    async (context) => {
      const { facts, providers, monotonic } = context;
      const asked = actionsOf(facts, "snapshot");
      if (asked.length === 0) return skipped();
      for (const { id, askedAt } of asked) {
        if (id === undefined && monotonic() - askedAt < listedWithinMs) return later();
        if (id !== undefined && (await providers.digitalocean.getAction(id)).status === "in-progress")
          return later({
            afterMs: nextLook(context),
            progress: { label: "DigitalOcean is still taking the snapshot" },
          });
      }
      return done();
    },
  );

/** A cancelled destroy pays for no snapshot: what has come of it is found by its name and removed. */
export const removeSnapshot = (name: string, label: string): Step<SnapshotFacts> =>
  step(name, label, async (context): Promise<Outcome<SnapshotFacts>> => {
    const { facts, operation, providers, now, elapsed } = context;
    const { snapshotId, removingSnapshots: removing } = facts;
    if (removing !== undefined) {
      await sameAccount(context);
      for (const id of removing) await providers.digitalocean.deleteSnapshot(id);
      return done({
        facts: { removingSnapshots: undefined },
        rows: (tx) =>
          tx.update(snapshots).set({ removedAt: now() }).where(inArray(snapshots.id, removing)).run(),
      });
    }
    if (snapshotId === undefined && actionsOf(facts, "snapshot").length === 0) return skipped();
    await sameAccount(context);
    const found = (await providers.digitalocean.listSnapshots()).filter((one) =>
      one.name.endsWith(ending(operation.id)),
    );
    if (found.length === 0 && snapshotId === undefined && elapsed() < listedWithinMs)
      return later({ afterMs: 5000, progress: { label: "Looking for the snapshot" } });
    const ids = new Set([...found.map(({ id }) => id), ...(snapshotId === undefined ? [] : [snapshotId])]);
    return later({
      afterMs: 0,
      facts: { removingSnapshots: [...ids], snapshotId: undefined, keptDropletId: undefined },
      rows: (tx) => {
        for (const id of ids) beginSnapshotRemoval(tx, id, now());
      },
    });
  });
