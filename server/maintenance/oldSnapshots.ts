import { eq, isNull } from "drizzle-orm";
import { write } from "../../db/client.ts";
import { instances, snapshots } from "../../db/schema.ts";
import type { Engine } from "../operations/engine.ts";
import { snapshotsByWorth, usesOf } from "../operations/sources.ts";
import { isBusy } from "./busy.ts";
import { oneByOne } from "./oneByOne.ts";
import { isOfOurTeam } from "./ownTeam.ts";

/** How long the snapshot of a droplet that never answered is kept beside a better one. */
const brokenForMs = 7 * 86_400_000;

type Snapshot = typeof snapshots.$inferSelect;
/** A snapshot, and the one that its instance would be brought back from. */
type Superseded = { snapshot: Snapshot; best: Snapshot };

/**
 * Each instance keeps the snapshot it would be brought back from: the newest of a droplet that answered. Earlier ones
 * only cost money; a later one, of a droplet that never answered, is kept for a week.
 */
export async function removeOldSnapshots(engine: Engine, signal: AbortSignal): Promise<void> {
  const { db } = engine;
  const owners = db
    .selectDistinct({ instanceId: snapshots.instanceId })
    .from(snapshots)
    .where(isNull(snapshots.removedAt))
    .all();
  const superseded = owners.flatMap(({ instanceId }) => {
    const [best, ...others] = snapshotsByWorth(db, instanceId);
    return best === undefined ? [] : others.map((snapshot) => ({ snapshot, best }));
  });
  const fault = ({ snapshot }: Superseded) => `the snapshot ${snapshot.name} could not be removed`;
  const end = async ({ snapshot, best }: Superseded) => {
    const isLater = snapshot.sequence > best.sequence;
    if (isLater && engine.now() - snapshot.takenAt <= brokenForMs) return;
    if (isBusy(engine, snapshot.instanceId) || usesOf(db).snapshot(snapshot.id)) return;
    await remove(engine, snapshot.id, best);
  };
  await oneByOne(engine, superseded, fault, end, signal);
}

/** The team that the snapshot's droplet was bought with; null while it was never noted. */
function teamOf({ db }: Engine, id: number): string | null {
  const owner = db
    .select({ accountId: instances.accountId })
    .from(snapshots)
    .innerJoin(instances, eq(instances.id, snapshots.instanceId))
    .where(eq(snapshots.id, id))
    .get();
  return owner?.accountId ?? null;
}

async function remove(engine: Engine, id: number, best: Snapshot): Promise<void> {
  const { digitalocean } = engine.providers;
  // That it is not there means something only in the team that it belongs to.
  if (!(await digitalocean.deleteSnapshot(id)) && !(await isOfOurTeam(engine, teamOf(engine, id)))) return;
  write(engine.db, (tx) => {
    tx.update(snapshots).set({ removedAt: engine.now() }).where(eq(snapshots.id, id)).run();
    tx.update(instances)
      .set({ snapshotId: best.id, snapshotAt: best.takenAt })
      .where(eq(instances.snapshotId, id))
      .run();
  });
}
