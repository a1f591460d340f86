import { isNull } from "drizzle-orm";
import { instances, mail } from "../../db/schema.ts";
import { lastGoodBackups } from "../backups/queries.ts";
import { staleness } from "../backups/schedule.ts";
import { newId } from "../ids.ts";
import type { Engine } from "../operations/engine.ts";

/** One mail for each time the newest good backup becomes too old. */
export function warnOfStaleBackups(engine: Engine): void {
  const now = engine.now();
  const live = engine.db.select().from(instances).where(isNull(instances.destroyedAt)).all();
  const lastGood = lastGoodBackups(
    engine.db,
    live.map((row) => row.id),
  );
  for (const { id, backupPlan, createdAt, createdBy } of live) {
    const lastGoodAt = lastGood.get(id) ?? null;
    if (staleness(backupPlan, { lastGoodAt, createdAt, now }) === null) continue;
    engine.db
      .insert(mail)
      .values({
        id: newId(),
        instanceId: id,
        kind: "stale",
        round: lastGoodAt ?? 0,
        recipient: createdBy,
        createdAt: now,
        dueAt: engine.monotonic(),
      })
      .onConflictDoNothing()
      .run();
  }
}
