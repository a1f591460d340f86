import { eq } from "drizzle-orm";
import { instances, mail } from "../../db/schema.ts";
import { orphans } from "../drift/orphans.ts";
import { newId } from "../ids.ts";
import type { Engine } from "../operations/engine.ts";

const afterMs = 3_600_000;

/** One mail for each orphan that has cost money for more than an hour since it was found. */
export function warnOfOrphans(engine: Engine): void {
  for (const { id, row } of orphans(engine.db)) {
    if (row.monthlyCents <= 0 || engine.monotonic() - row.foundMonotonic < afterMs) continue;
    const instance = engine.db.select().from(instances).where(eq(instances.id, row.instanceId)).get();
    if (instance === undefined) continue;
    engine.db
      .insert(mail)
      .values({
        ...{ id: newId(), instanceId: row.instanceId, kind: "drift", round: id },
        ...{ recipient: instance.createdBy, createdAt: engine.now(), dueAt: engine.monotonic() },
      })
      .onConflictDoNothing()
      .run();
  }
}
