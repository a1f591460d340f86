import { eq } from "drizzle-orm";
import { write } from "#db/client.ts";
import { instances } from "#db/schema.ts";
import { orphans } from "#server/drift/listOrphans.ts";
import { addOrphanMail } from "#server/mail/outbox.ts";
import type { Engine } from "#server/operations/engine/engine.ts";

const afterMs = 3_600_000;

/** One mail for each orphan that has cost money for more than an hour since it was found. */
export function warnOfOrphans(engine: Engine): void {
  write(engine.db, (tx) => {
    for (const { id, row } of orphans(tx)) {
      if (row.monthlyCents <= 0 || engine.monotonic() - row.foundMonotonic < afterMs) continue;
      const instance = tx.select().from(instances).where(eq(instances.id, row.instanceId)).get();
      if (instance !== undefined) addOrphanMail(tx, engine, instance, id);
    }
  });
}
