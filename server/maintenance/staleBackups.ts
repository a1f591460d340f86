import { isNull } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import { staleness } from "#server/instances/backupPlan.ts";
import { addStaleMail } from "#server/mail/outbox.ts";
import type { Instance } from "#server/operations/engine/define.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { lastGoodBackups } from "#server/operations/goodBackups.ts";

const liveInstances = prepared((tx: Pick<Tx, "select">) =>
  tx.select().from(instances).where(isNull(instances.destroyedAt)).prepare(),
);

/** One mail for each time the newest good backup becomes too old. */
export function warnOfStaleBackups(engine: Engine): void {
  const now = engine.now();
  const live = liveInstances(engine.db).all();
  const lastGood = lastGoodBackups(
    engine.db,
    live.map((row) => row.id),
  );
  const lastGoodOf = (row: Instance) => lastGood.get(row.id) ?? null;
  const stale = live.filter((row) => {
    const known = { lastGoodAt: lastGoodOf(row), createdAt: row.createdAt, now };
    return staleness(row.backupPlan, known) !== null;
  });
  if (stale.length === 0) return;
  write(engine.db, (tx) => {
    for (const row of stale) addStaleMail(tx, engine, row, lastGoodOf(row));
  });
}
