import { desc, eq, isNull } from "drizzle-orm";
import { snapshots } from "../../db/schema.ts";
import type { Engine } from "../operations/engine.ts";
import { isBusy } from "./busy.ts";

/** Each instance keeps its newest snapshot; earlier ones only cost money. */
export async function removeOldSnapshots(engine: Engine): Promise<void> {
  const kept = engine.db
    .select()
    .from(snapshots)
    .where(isNull(snapshots.removedAt))
    .orderBy(desc(snapshots.sequence))
    .all();
  const seen = new Set<string>();
  for (const snapshot of kept) {
    const isNewest = !seen.has(snapshot.instanceId);
    seen.add(snapshot.instanceId);
    if (isNewest || isBusy(engine, snapshot.instanceId)) continue;
    await engine.providers.digitalocean.deleteSnapshot(snapshot.id);
    engine.db.update(snapshots).set({ removedAt: engine.now() }).where(eq(snapshots.id, snapshot.id)).run();
  }
}
