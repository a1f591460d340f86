import { write } from "#db/client.ts";
import { staleInstances } from "#server/instances/backupAge.ts";
import { instancePages } from "#server/instances/instancePages.ts";
import { addStaleMail } from "#server/mail/outbox.ts";
import type { Engine } from "#server/operations/engine/engine.ts";

/** One mail for each time the newest good backup becomes too old. */
export async function warnOfStaleBackups(engine: Engine, signal: AbortSignal): Promise<void> {
  for await (const page of instancePages(engine, signal)) {
    const stale = staleInstances(engine.db, engine.now(), { page });
    if (stale.length === 0) continue;
    write(engine.db, (tx) => {
      for (const { instance, lastGoodAt } of stale) addStaleMail(tx, engine, instance, lastGoodAt);
    });
  }
}
