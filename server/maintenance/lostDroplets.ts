import { and, eq, inArray, isNotNull, isNull } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import { instancePages, isOnPage } from "#server/instances/instancePages.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { secondLookMs } from "#server/operations/steps/dropletPresence.ts";
import { isBusy } from "./busy.ts";

/** Where an instance at rest should have its droplet. */
const atRest = ["running", "unreachable", "off", "failed"] as const;

const isAtRest = and(
  isNotNull(instances.dropletId),
  isNull(instances.destroyedAt),
  inArray(instances.status, atRest),
);

const instancesAtRest = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({
      id: instances.id,
      dropletId: instances.dropletId,
      accountId: instances.accountId,
      dropletMissingSince: instances.dropletMissingSince,
      dropletGoneAt: instances.dropletGoneAt,
    })
    .from(instances)
    .where(and(isOnPage(), isAtRest))
    .prepare(),
);
const anyDroplet = prepared((tx: Pick<Tx, "select">) =>
  tx.select({ id: instances.id }).from(instances).where(isAtRest).limit(1).prepare(),
);

/**
 * Notes whose droplet is gone at DigitalOcean, so that the page promises nothing that only a living one can give, and
 * which team each was bought with. As careful as an operation: two looks in a row have to miss it, in the list and by
 * its id, with a token of the team that bought it.
 */
export async function noteLostDroplets(engine: Engine, signal: AbortSignal): Promise<void> {
  const { digitalocean } = engine.providers;
  if (anyDroplet(engine.db).get() === undefined) return;
  const listed = new Set((await digitalocean.listAllDroplets()).map(({ id }) => id));
  const isSettled = (row: Row) =>
    row.accountId !== null &&
    row.dropletMissingSince === null &&
    row.dropletId !== null &&
    listed.has(row.dropletId);
  let account: string | undefined;
  for await (const page of instancePages(engine, signal)) {
    const open = instancesAtRest(engine.db)
      .all(page)
      .filter((row) => !isSettled(row));
    if (open.length > 0) account ??= (await digitalocean.account()).id;
    for (const row of open)
      if (account !== undefined && (await note(engine, row, { account, listed })))
        await engine.wait(1, signal);
  }
}

type Row = ReturnType<ReturnType<typeof instancesAtRest>["all"]>[number];

/** Returns whether it wrote anything. */
async function note(
  engine: Engine,
  row: Row,
  { account, listed }: { account: string; listed: ReadonlySet<number> },
): Promise<boolean> {
  const { db, now, monotonic, providers } = engine;
  const { id, dropletId, accountId } = row;
  if (dropletId === null || isBusy(engine, id)) return false;
  if (accountId !== null && accountId !== account) return false;
  const isThere = listed.has(dropletId) || (await providers.digitalocean.getDroplet(dropletId)) !== undefined;
  const since = row.dropletMissingSince ?? monotonic();
  const isGone = !isThere && monotonic() - since >= secondLookMs;
  const noted = {
    accountId: isThere ? account : accountId,
    dropletMissingSince: isThere ? null : since,
    dropletGoneAt: isGone ? (row.dropletGoneAt ?? now()) : null,
  };
  const isNew = (Object.keys(noted) as (keyof typeof noted)[]).some((name) => noted[name] !== row[name]);
  if (!isNew) return false;
  write(db, (tx) => {
    const { changes } = tx
      .update(instances)
      .set(noted)
      .where(and(eq(instances.id, id), eq(instances.dropletId, dropletId)))
      .run();
    if (changes > 0) appendEvent(tx, { at: now(), kind: "instance", instanceId: id });
  });
  return true;
}
