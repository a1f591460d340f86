import { and, isNotNull, isNull, lte } from "drizzle-orm";
import { instances } from "#db/schema.ts";
import { spawnerItself } from "#server/api/views.ts";
import { purgeInstance } from "#server/instances/life.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { attempt } from "./attempt.ts";

/** Purges destroyed instances whose retention is over. */
export function purgeExpired(engine: Engine): void {
  const over = engine.db
    .select()
    .from(instances)
    .where(
      and(
        lte(instances.keptUntil, engine.now()),
        isNotNull(instances.destroyedAt),
        isNull(instances.purgedAt),
      ),
    )
    .all();
  for (const { id, slug } of over)
    attempt(() => purgeInstance(engine, { instanceId: id, confirm: slug }, spawnerItself));
}
