import { eq, isNull } from "drizzle-orm";
import { write } from "../../db/client.ts";
import { instances, snapshots } from "../../db/schema.ts";
import type { Engine } from "../operations/engine.ts";
import { snapshotsByWorth, usesOf } from "../operations/sources.ts";
import { isBusy } from "./busy.ts";

/** How long the snapshot of a droplet that never answered is kept beside a better one. */
const brokenForMs = 7 * 86_400_000;

/**
 * Each instance keeps the snapshot it would be brought back from: the newest of a droplet that answered. Earlier ones
 * only cost money; a later one, of a droplet that never answered, is kept for a week.
 */
export async function removeOldSnapshots(engine: Engine): Promise<void> {
  const owners = engine.db
    .selectDistinct({ instanceId: snapshots.instanceId })
    .from(snapshots)
    .where(isNull(snapshots.removedAt))
    .all();
  const faults: unknown[] = [];
  for (const { instanceId } of owners) {
    if (isBusy(engine, instanceId)) continue;
    const [best, ...others] = snapshotsByWorth(engine.db, instanceId);
    const uses = usesOf(engine.db);
    for (const snapshot of others) {
      const isLater = best !== undefined && snapshot.sequence > best.sequence;
      if (uses.snapshot(snapshot.id)) continue;
      if (isLater && engine.now() - snapshot.takenAt <= brokenForMs) continue;
      try {
        await remove(engine, snapshot.id, best);
      } catch (error) {
        faults.push(error);
      }
    }
  }
  if (faults.length > 0) throw faults[0];
}

/** Whether the token in use is of the team that the snapshot's droplet was bought with. */
async function isOfOurTeam({ db, providers }: Engine, id: number): Promise<boolean> {
  const owner = db
    .select({ accountId: instances.accountId })
    .from(snapshots)
    .innerJoin(instances, eq(instances.id, snapshots.instanceId))
    .where(eq(snapshots.id, id))
    .get();
  const accountId = owner?.accountId ?? null;
  return accountId === null || accountId === (await providers.digitalocean.account()).id;
}

async function remove(
  engine: Engine,
  id: number,
  best: { id: number; takenAt: number } | undefined,
): Promise<void> {
  const { digitalocean } = engine.providers;
  // That it is not there means something only in the team that it belongs to.
  if (!(await digitalocean.deleteSnapshot(id)) && !(await isOfOurTeam(engine, id))) return;
  write(engine.db, (tx) => {
    tx.update(snapshots).set({ removedAt: engine.now() }).where(eq(snapshots.id, id)).run();
    tx.update(instances)
      .set({ snapshotId: best?.id ?? null, snapshotAt: best?.takenAt ?? null })
      .where(eq(instances.snapshotId, id))
      .run();
  });
}
