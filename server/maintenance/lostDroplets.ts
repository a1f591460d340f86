import { and, eq, inArray, isNotNull, isNull } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { secondLookMs } from "#server/operations/steps/dropletPresence.ts";
import { isBusy } from "./busy.ts";

/** Where an instance at rest should have its droplet. */
const atRest = ["running", "unreachable", "off", "failed"] as const;

const instancesAtRest = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select()
    .from(instances)
    .where(
      and(isNotNull(instances.dropletId), isNull(instances.destroyedAt), inArray(instances.status, atRest)),
    )
    .prepare(),
);

/**
 * Notes whose droplet is gone at DigitalOcean, so that the page promises nothing that only a living one can give, and
 * which team each was bought with. As careful as an operation: two looks in a row have to miss it, in the list and by
 * its id, with a token of the team that bought it.
 */
export async function noteLostDroplets(engine: Engine): Promise<void> {
  const { db, now, monotonic, providers } = engine;
  const rows = instancesAtRest(db).all();
  if (rows.length === 0) return;
  const listed = new Set((await providers.digitalocean.listAllDroplets()).map(({ id }) => id));
  const isListed = (row: (typeof rows)[number]) => row.dropletId !== null && listed.has(row.dropletId);
  const suspects = rows.filter((row) => !isListed(row));
  if (
    suspects.length === 0 &&
    rows.every((row) => row.accountId !== null && row.dropletMissingSince === null)
  )
    return;
  const { id: accountId } = await providers.digitalocean.account();
  for (const row of rows) {
    const { id, dropletId } = row;
    if (dropletId === null || isBusy(engine, id)) continue;
    const isOfOther = row.accountId !== null && row.accountId !== accountId;
    if (isOfOther) continue;
    const isThere = isListed(row) || (await providers.digitalocean.getDroplet(dropletId)) !== undefined;
    const since = row.dropletMissingSince ?? monotonic();
    const isGone = !isThere && monotonic() - since >= secondLookMs;
    const noted = {
      accountId: isThere ? accountId : row.accountId,
      dropletMissingSince: isThere ? null : since,
      dropletGoneAt: isGone ? (row.dropletGoneAt ?? now()) : null,
    };
    const isNew = (Object.keys(noted) as (keyof typeof noted)[]).some((name) => noted[name] !== row[name]);
    if (!isNew) continue;
    write(db, (tx) => {
      const { changes } = tx
        .update(instances)
        .set(noted)
        .where(and(eq(instances.id, id), eq(instances.dropletId, dropletId)))
        .run();
      if (changes > 0) appendEvent(tx, { at: now(), kind: "instance", instanceId: id });
    });
  }
}
