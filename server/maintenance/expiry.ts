import { and, isNotNull, isNull, lte } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import { spawnerItself } from "#server/api/views.ts";
import { purgeInstance } from "#server/instances/commands/purgeInstance.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { attempt } from "./attempt.ts";
import { eachWithin } from "./eachWithin.ts";

const expired = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ id: instances.id, slug: instances.slug })
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
export async function purgeExpired(engine: Engine, signal: AbortSignal): Promise<void> {
  const due = expired(engine.db).all({ now: engine.now() });
  const fault = ({ slug }: (typeof due)[number]) => `could not purge ${slug}`;
  const purge = ({ id, slug }: (typeof due)[number]) => {
    attempt(() => purgeInstance(engine, { instanceId: id, confirm: slug }, spawnerItself));
  };
  await eachWithin(engine, due, fault, purge, signal);
}
