import { write } from "#db/client.ts";
import { staleInstances } from "#server/instances/backupAge.ts";
import { addStaleMail } from "#server/mail/outbox.ts";
import type { Engine } from "#server/operations/engine/engine.ts";

/** One mail for each time the newest good backup becomes too old. */
export function warnOfStaleBackups(engine: Engine): void {
  const stale = staleInstances(engine.db, engine.now());
  if (stale.length === 0) return;
  write(engine.db, (tx) => {
    for (const { instance, lastGoodAt } of stale) addStaleMail(tx, engine, instance, lastGoodAt);
  });
}
