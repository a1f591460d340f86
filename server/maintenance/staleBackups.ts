import { isNull } from "drizzle-orm";
import { write } from "#db/client.ts";
import { instances } from "#db/schema.ts";
import { lastGoodBackups } from "#server/backups/queries.ts";
import { staleness } from "#server/instances/backupPlan.ts";
import { addStaleMail } from "#server/mail/outbox.ts";
import type { Engine } from "#server/operations/engine/engine.ts";

/** One mail for each time the newest good backup becomes too old. */
export function warnOfStaleBackups(engine: Engine): void {
  const now = engine.now();
  const live = engine.db.select().from(instances).where(isNull(instances.destroyedAt)).all();
  const lastGood = lastGoodBackups(
    engine.db,
    live.map((row) => row.id),
  );
  write(engine.db, (tx) => {
    for (const row of live) {
      const lastGoodAt = lastGood.get(row.id) ?? null;
      if (staleness(row.backupPlan, { lastGoodAt, createdAt: row.createdAt, now }) !== null)
        addStaleMail(tx, engine, row, lastGoodAt);
    }
  });
}
