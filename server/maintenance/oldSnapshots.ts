import { eq, isNull } from "drizzle-orm";
import { write } from "#db/client.ts";
import { instances, snapshots } from "#db/schema.ts";
import { pointAtBest, snapshotsByWorth, teamOf, usesOf } from "#server/operations/backupUses.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { isBusy } from "./busy.ts";
import { eachWithin } from "./eachWithin.ts";
import { isOfOurTeam } from "./ownTeam.ts";

/** How long the snapshot of a droplet that never answered is kept beside a better one. */
const brokenForMs = 7 * 86_400_000;

type Snapshot = typeof snapshots.$inferSelect;
/** A snapshot, and the one that its instance would be brought back from: none once it was removed for good. */
type Superseded = { snapshot: Snapshot; best: Snapshot | undefined };

/**
 * Each instance keeps the snapshot it would be brought back from: the newest of a droplet that answered. Earlier ones
 * only cost money; a later one, of a droplet that never answered, is kept for a week. One that turned up after its
 * instance was removed for good goes as well.
 */
export async function removeOldSnapshots(engine: Engine, signal: AbortSignal): Promise<void> {
  const { db } = engine;
  const owners = db
    .selectDistinct({ instanceId: snapshots.instanceId, purgedAt: instances.purgedAt })
    .from(snapshots)
    .innerJoin(instances, eq(instances.id, snapshots.instanceId))
    .where(isNull(snapshots.removedAt))
    .all();
  const superseded = owners.flatMap(({ instanceId, purgedAt }): Superseded[] => {
    const all = snapshotsByWorth(db, instanceId);
    const best = purgedAt === null ? all.shift() : undefined;
    return all.map((snapshot) => ({ snapshot, best }));
  });
  const fault = ({ snapshot }: Superseded) => `the snapshot ${snapshot.name} could not be removed`;
  const end = async ({ snapshot, best }: Superseded) => {
    const isLater = best !== undefined && snapshot.sequence > best.sequence;
    if (isLater && engine.now() - snapshot.takenAt <= brokenForMs) return;
    if (isBusy(engine, snapshot.instanceId) || usesOf(db).snapshot(snapshot.id)) return;
    await remove(engine, snapshot);
  };
  await eachWithin(engine, superseded, fault, end, signal);
}

async function remove(engine: Engine, { id, instanceId }: Snapshot): Promise<void> {
  const { db, providers } = engine;
  // That it is not there means something only in the team that it belongs to.
  if (!(await providers.digitalocean.deleteSnapshot(id)) && !(await isOfOurTeam(engine, teamOf(db, id))))
    return;
  write(db, (tx) => {
    tx.update(snapshots).set({ removedAt: engine.now() }).where(eq(snapshots.id, id)).run();
    pointAtBest(tx, instanceId);
  });
}
