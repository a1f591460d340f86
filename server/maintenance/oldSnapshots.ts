import { and, eq, getTableColumns, isNotNull, isNull, or, sql } from "drizzle-orm";
import { type Db, type Tx, write } from "#db/client.ts";
import { prepared } from "#db/prepared.ts";
import { instances, snapshots } from "#db/schema.ts";
import { instancePages, isOnPage } from "#server/instances/instancePages.ts";
import {
  beginSnapshotRemoval,
  isNewer,
  snapshotsByWorth,
  teamOf,
  usesOf,
} from "#server/operations/backupUses.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { isBusy } from "./busy.ts";
import { eachWithin } from "./eachWithin.ts";
import { isOfOurTeam } from "./ownTeam.ts";

/** How long the snapshot of a droplet that never answered is kept beside a better one. */
const brokenForMs = 7 * 86_400_000;

type Snapshot = typeof snapshots.$inferSelect;

/** All that may be due: the one snapshot that is kept of an instance which was not removed for good never is. */
const candidates = prepared((db: Pick<Db, "select">) =>
  db
    .select(getTableColumns(snapshots))
    .from(snapshots)
    .innerJoin(instances, eq(instances.id, snapshots.instanceId))
    .where(
      and(
        isOnPage(),
        isNull(snapshots.removedAt),
        or(
          isNotNull(snapshots.removingAt),
          isNotNull(instances.purgedAt),
          sql`exists (select 1 from snapshots other where other.instance_id = ${snapshots.instanceId}
            and other.id <> ${snapshots.id} and other.removing_at is null and other.removed_at is null)`,
        ),
      ),
    )
    .prepare(),
);

/**
 * Each instance keeps the snapshot it would be brought back from: the newest of a droplet that answered. Earlier ones
 * only cost money; a later one, of a droplet that never answered, is kept for a week. One that turned up after its
 * instance was removed for good goes as well, and so does one whose removal a crash or a Cancel has cut short.
 */
export async function removeOldSnapshots(engine: Engine, signal: AbortSignal): Promise<void> {
  const due: Snapshot[] = [];
  for await (const page of instancePages(engine, signal))
    due.push(
      ...candidates(engine.db)
        .all(page)
        .filter((snapshot) => isDue(engine, engine.db, snapshot)),
    );
  const fault = ({ name }: Snapshot) => `could not remove the snapshot ${name}`;
  await eachWithin(engine, due, fault, (snapshot) => remove(engine, snapshot), signal);
}

/** Whether it goes now. One that is being removed by an operation is left to that. */
function isDue(engine: Engine, tx: Pick<Tx, "select">, snapshot: Snapshot): boolean {
  const { id, instanceId, takenAt } = snapshot;
  if (isBusy(engine, instanceId)) return false;
  if (snapshot.removingAt !== null) return true;
  const owner = tx
    .select({ purgedAt: instances.purgedAt })
    .from(instances)
    .where(eq(instances.id, instanceId))
    .get();
  const kept = snapshotsByWorth(tx, instanceId);
  const best = kept[0];
  const own = kept.find((one) => one.id === id);
  if (owner?.purgedAt === null && best !== undefined && own !== undefined) {
    if (best === own) return false;
    if (isNewer(own, best) && engine.now() - takenAt <= brokenForMs) return false;
  }
  return !usesOf(tx).snapshot(id);
}

async function remove(engine: Engine, { id }: Snapshot): Promise<void> {
  const { db, providers } = engine;
  // That it is not there means something only in the team that it belongs to.
  if (!(await isOfOurTeam(engine, teamOf(db, id)))) return;
  const isBegun = write(db, (tx) => {
    // Something may have begun meanwhile.
    const current = tx
      .select()
      .from(snapshots)
      .where(and(eq(snapshots.id, id), isNull(snapshots.removedAt)))
      .get();
    if (current === undefined || !isDue(engine, tx, current)) return false;
    beginSnapshotRemoval(tx, id, engine.now());
    return true;
  });
  if (!isBegun) return;
  await providers.digitalocean.deleteSnapshot(id);
  db.update(snapshots).set({ removedAt: engine.now() }).where(eq(snapshots.id, id)).run();
}
