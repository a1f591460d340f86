import { and, isNotNull, isNull, lte } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import { spawnerItself } from "#server/api/views.ts";
import { purgeInstance } from "#server/instances/commands/purgeInstance.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { attempt } from "./attempt.ts";

const expired = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select()
    .from(instances)
    .where(
      and(
        lte(instances.keptUntil, given("now")),
        isNotNull(instances.destroyedAt),
        isNull(instances.purgedAt),
      ),
    )
    .prepare(),
);

/** Purges destroyed instances whose retention is over. */
export function purgeExpired(engine: Engine): void {
  for (const { id, slug } of expired(engine.db).all({ now: engine.now() }))
    attempt(() => purgeInstance(engine, { instanceId: id, confirm: slug }, spawnerItself));
}
