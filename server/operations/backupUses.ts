import { and, desc, eq, getTableColumns, inArray, isNotNull, isNull, ne, notInArray, or } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { backups, instances, operations, snapshots } from "#db/schema.ts";
import { canBeResumed } from "./engine/resumable.ts";
import { throwawayKinds } from "./registry.ts";
import { isOfWayBack, type Tidy } from "./steps/dump.ts";

type Reader = Pick<Tx, "select">;

/** What an operation reads: parsed leniently, because its other facts are its own. */
const reads = z
  .object({
    source: z.object({ id: z.string() }),
    wayBack: z.object({ id: z.string() }),
    imageId: z.number().nullable(),
  })
  .partial();
const readsOf = (facts: unknown) => reads.safeParse(facts).data ?? {};

/**
 * Operations that go on, or may: the live ones, and failed ones that Retry is still offered for. A test restore of an instance
 * that was destroyed is none of them.
 */
const openOperations = prepared((tx: Reader) =>
  tx
    .select({ id: operations.id, facts: operations.facts })
    .from(operations)
    .innerJoin(instances, eq(instances.id, operations.instanceId))
    .where(
      and(
        ne(operations.id, given("exceptId")),
        or(
          inArray(operations.state, ["running", "cancelling"]),
          and(
            canBeResumed(),
            or(notInArray(operations.kind, throwawayKinds()), isNull(instances.destroyedAt)),
          ),
        ),
      ),
    )
    .prepare(),
);

/** Whether an operation that goes on, or may, reads or writes this backup or this snapshot. */
export function usesOf(tx: Reader, exceptId = "") {
  const open = openOperations(tx).all({ exceptId });
  const writers = new Set(open.map((row) => row.id));
  const read = open.map((row) => readsOf(row.facts));
  const sources = new Set(read.flatMap(({ source, wayBack }) => [source?.id, wayBack?.id]));
  const images = new Set(read.map(({ imageId }) => imageId));
  return {
    backup: ({ id, operationId }: { id: string; operationId: string }) =>
      sources.has(id) || writers.has(operationId),
    snapshot: (id: number) => images.has(id),
  };
}

/** Names beyond these have been tidied by the dumps in between. */
const namesLookedAt = 50;

const lately = prepared((tx: Reader) => ({
  backups: tx
    .select({ id: backups.id, verifiedAt: backups.verifiedAt })
    .from(backups)
    .where(eq(backups.instanceId, given("instanceId")))
    .orderBy(desc(backups.sequence))
    .limit(namesLookedAt)
    .prepare(),
  operations: tx
    .select({ facts: operations.facts })
    .from(operations)
    .where(and(eq(operations.instanceId, given("instanceId")), isNotNull(operations.endedAt)))
    .orderBy(desc(operations.sequence))
    .limit(namesLookedAt)
    .prepare(),
}));

/** What the next dump of an instance may remove from its droplet: see the rules of archive.py. */
export function tidyNames(tx: Reader, instanceId: string): Tidy {
  const queries = lately(tx);
  const rows = queries.backups.all({ instanceId });
  const sent = queries.operations.all({ instanceId }).flatMap(({ facts }) => readsOf(facts).source?.id ?? []);
  const kept = rows.filter((row) => row.verifiedAt !== null).map((row) => row.id);
  const dumped = rows.filter((row) => row.verifiedAt !== null || !isOfWayBack(row.id)).map((row) => row.id);
  return { kept, archives: [...new Set([...dumped, ...sent])] };
}

/** Not removed, and its removal was not begun either. */
export const isKeptSnapshot = and(isNull(snapshots.removingAt), isNull(snapshots.removedAt));

/**
 * What is kept of an instance, the snapshot to bring it back from first: the newest of a droplet that answered as an
 * intranet; without one, the newest. That is the one whose operation began last (`order`): a snapshot that was given up
 * is written down late, maybe after the next one.
 */
export const snapshotsByWorth = (tx: Reader, instanceId: string) => keptSnapshots(tx).all({ instanceId });

const keptSnapshots = prepared((tx: Reader) =>
  tx
    .select({ ...getTableColumns(snapshots), order: operations.sequence })
    .from(snapshots)
    .leftJoin(operations, eq(operations.id, snapshots.operationId))
    .where(and(eq(snapshots.instanceId, given("instanceId")), isKeptSnapshot))
    .orderBy(desc(snapshots.answered), desc(operations.sequence), desc(snapshots.sequence))
    .prepare(),
);
export type KeptSnapshot = ReturnType<typeof snapshotsByWorth>[number];

export const isNewer = (one: KeptSnapshot, other: KeptSnapshot): boolean =>
  (one.order ?? 0) === (other.order ?? 0)
    ? one.sequence > other.sequence
    : (one.order ?? 0) > (other.order ?? 0);

/** Points an instance at the best snapshot that is kept of it. */
export function pointAtBest(tx: Tx, instanceId: string): void {
  const [best] = snapshotsByWorth(tx, instanceId);
  tx.update(instances)
    .set({ snapshotId: best?.id ?? null, snapshotAt: best?.takenAt ?? null })
    .where(eq(instances.id, instanceId))
    .run();
}

/**
 * Writes that a snapshot's removal begins: in a transaction before DigitalOcean is asked, so that nothing is brought
 * back from what may be gone. What nobody notes to be gone, maintenance removes to its end.
 */
export function beginSnapshotRemoval(tx: Tx, id: number, now: number): void {
  const row = tx
    .update(snapshots)
    .set({ removingAt: now })
    .where(and(eq(snapshots.id, id), isKeptSnapshot))
    .returning({ instanceId: snapshots.instanceId })
    .get();
  if (row !== undefined) pointAtBest(tx, row.instanceId);
}

/** The team that a snapshot belongs to; while that was never noted, the one its instance's droplet was bought with. */
export function teamOf(tx: Reader, snapshotId: number): string | null {
  const row = tx
    .select({ own: snapshots.accountId, ofInstance: instances.accountId })
    .from(snapshots)
    .innerJoin(instances, eq(instances.id, snapshots.instanceId))
    .where(eq(snapshots.id, snapshotId))
    .get();
  return row?.own ?? row?.ofInstance ?? null;
}
