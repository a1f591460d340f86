import { isDeepStrictEqual } from "node:util";
import { and, eq, inArray, isNotNull, isNull, or } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { type Db, type Tx, write } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { drift, instances, snapshots } from "#db/schema.ts";
import { compare, type Found, type Inventory } from "#server/drift/compare.ts";
import { changedSince, newestEvent, readExpected } from "#server/drift/expected.ts";
import { keyOf } from "#server/drift/findings.ts";
import { orphans } from "#server/drift/listOrphans.ts";
import { reconciliationState, saveReconciliationState } from "#server/drift/state.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import type { DigitalOcean, Droplet } from "#server/providers/digitalocean/digitalocean.ts";
import type { ARecord } from "#server/providers/digitalocean/inventory.ts";
import { isProviderError } from "#server/providers/errors.ts";

/** Maintenance comes every minute; a round is due every two. */
const everyMs = 90_000;
/** Droplets that the list lacks are asked for one by one; no more than this in one round. */
const directLooks = 20;

/**
 * Compares what DigitalOcean has with what the rows say and writes down where they differ. A round asks for the
 * account and makes three lists and one more for each domain in use, whatever the size of the fleet (but for every 200
 * entries of a list one page). It changes nothing at DigitalOcean.
 */
export async function reconcile(engine: Engine, signal?: AbortSignal): Promise<void> {
  const { checkedMonotonic } = reconciliationState(engine.db);
  if (checkedMonotonic !== undefined && engine.monotonic() - checkedMonotonic < everyMs) return;
  try {
    const { id, email } = await engine.providers.digitalocean.account();
    const { account } = reconciliationState(engine.db);
    const isNew = account !== undefined && account !== id;
    if (isNew && holdsAnything(engine.db) && !holdsAnything(engine.db, id)) {
      noteFailure(
        engine,
        `The token belongs to another DigitalOcean account (${email}). Nothing is compared until the Spawner has a token for your instances’ account again.`,
      );
      return;
    }
    const { inventory, unknown } = await readInventory(engine, id);
    await noteRound(engine, { inventory, unknown, account: id }, signal);
  } catch (error) {
    noteFailure(engine, isProviderError(error) ? error.userMessage : "The check itself failed.");
    throw error;
  }
}

/**
 * Whether anything of ours is known to be at DigitalOcean, in whatever team or in that of `account`: a droplet, a
 * snapshot, or an orphan of either.
 */
function holdsAnything(tx: Pick<Tx, "select">, account?: string): boolean {
  const isThere = (column: SQLiteColumn) => (account === undefined ? undefined : eq(column, account));
  const owner = tx
    .select({ id: instances.id })
    .from(instances)
    .where(and(isNotNull(instances.dropletId), isThere(instances.accountId)))
    .get();
  const kept = tx
    .select({ id: snapshots.id })
    .from(snapshots)
    .where(and(isNull(snapshots.removedAt), isThere(snapshots.accountId)))
    .get();
  const left = orphans(tx).filter(({ row }) => account === undefined || row.accountId === account);
  return owner !== undefined || kept !== undefined || left.length > 0;
}

function noteFailure({ db, now }: Engine, userMessage: string): void {
  write(db, (tx) =>
    saveReconciliationState(tx, { ...reconciliationState(tx), failure: { at: now(), userMessage } }),
  );
}

const domainsInUse = prepared((db: Pick<Db, "selectDistinct">) =>
  db.selectDistinct({ domain: instances.domain }).from(instances).prepare(),
);

const dropletsOfTeam = prepared((db: Pick<Db, "select">) =>
  db
    .select({ dropletId: instances.dropletId })
    .from(instances)
    .where(or(isNull(instances.accountId), eq(instances.accountId, given("account"))))
    .prepare(),
);

/** What DigitalOcean has; `unknown`: droplets of our rows of which this round has not learned whether they are there. */
async function readInventory({ db, providers: { digitalocean } }: Engine, account: string) {
  const listed = await digitalocean.listDroplets();
  const snapshots = await digitalocean.listSnapshots();
  const records = new Map<string, ARecord[] | undefined>();
  for (const { domain } of domainsInUse(db).all())
    records.set(domain, await digitalocean.listARecords(domain));
  const sshKeys = await digitalocean.listSshKeys();
  const seen = new Set(listed.map(({ id }) => id));
  const absent = dropletsOfTeam(db)
    .all({ account })
    .flatMap(({ dropletId }) => (dropletId === null || seen.has(dropletId) ? [] : [dropletId]));
  const { found, gone, unknown } = await lookDirectly(digitalocean, notYetFoundFirst(db, absent));
  const inventory: Inventory = { droplets: [...listed, ...found], gone, snapshots, records, sshKeys };
  return { inventory, unknown };
}

const driftRows = prepared((tx: Pick<Tx, "select">) => tx.select().from(drift).prepare());

/** One that has been found missing before can wait for another round. */
function notYetFoundFirst(tx: Pick<Tx, "select">, dropletIds: readonly number[]): number[] {
  const known = new Set(
    driftRows(tx)
      .all()
      .map(({ key }) => key),
  );
  const isKnown = (dropletId: number) => known.has(keyOf({ type: "missing-droplet", dropletId }));
  return [...dropletIds].sort((a, b) => Number(isKnown(a)) - Number(isKnown(b)));
}

/** A list may lack what is there: its tag was removed, or the pages shifted while they were read. */
async function lookDirectly(digitalocean: DigitalOcean, dropletIds: readonly number[]) {
  const found: Droplet[] = [];
  const gone = new Set<number>();
  for (const id of dropletIds.slice(0, directLooks)) {
    const droplet = await digitalocean.getDroplet(id);
    if (droplet === undefined) gone.add(id);
    else found.push(droplet);
  }
  return { found, gone, unknown: new Set(dropletIds.slice(directLooks)) };
}

type Round = { inventory: Inventory; unknown: ReadonlySet<number>; account: string };

async function noteRound(
  engine: Engine,
  { inventory, unknown, account }: Round,
  signal?: AbortSignal,
): Promise<void> {
  const { db, now, monotonic, wait } = engine;
  const readFrom = newestEvent(db);
  const expected = await readExpected(engine, account, signal);
  const all: Found[] = [];
  for (const part of compare(expected, inventory, now())) {
    await wait(1, signal);
    all.push(...part);
  }
  const owned = new Set(expected.instances.map(({ dropletId }) => dropletId));
  const taken = new Set(expected.snapshots.map(({ id }) => id));
  // Whose token was there first says nothing: the account is the one that holds what we bought.
  const isOurs =
    inventory.droplets.some(({ id }) => owned.has(id)) || inventory.snapshots.some(({ id }) => taken.has(id));
  const notSeen = expected.instances.filter(({ dropletId }) => dropletId !== null && unknown.has(dropletId));
  write(db, (tx) => {
    const unjudged = new Set([
      ...expected.busy,
      ...changedSince(tx, readFrom),
      ...notSeen.map(({ id }) => id),
    ]);
    const found = all.filter(({ instanceId }) => !unjudged.has(instanceId));
    noteFindings(engine, tx, { found, unjudged, account });
    saveReconciliationState(tx, {
      ...reconciliationState(tx),
      ...(isOurs ? { account } : {}),
      ...{ checkedAt: now(), checkedMonotonic: monotonic(), failure: undefined },
    });
  });
}

/**
 * What was found before keeps its age. What is new is only written down once it is settled; what was not judged stays
 * as it is, and so does what another team has.
 */
function noteFindings(
  { now, monotonic }: Engine,
  tx: Tx,
  { found, unjudged, account }: { found: readonly Found[]; unjudged: ReadonlySet<string>; account: string },
): void {
  const before = new Map(
    driftRows(tx)
      .all()
      .map((row) => [row.key, row]),
  );
  const current = new Map(found.map((one) => [keyOf(one.finding), one]));
  const over = [...before.values()].filter(
    ({ key, instanceId, accountId }) =>
      !current.has(key) && !unjudged.has(instanceId) && (accountId === null || accountId === account),
  );
  const endedKeys = over.map(({ key }) => key);
  if (endedKeys.length > 0) tx.delete(drift).where(inArray(drift.key, endedKeys)).run();
  for (const [key, { instanceId, finding, monthlyCents, isSettled }] of current) {
    if (!isSettled && !before.has(key)) continue;
    const values = { instanceId, accountId: account, finding, monthlyCents };
    if (isDeepStrictEqual({ ...before.get(key), ...values }, before.get(key))) continue;
    tx.insert(drift)
      .values({ key, ...values, foundAt: now(), foundMonotonic: monotonic() })
      .onConflictDoUpdate({ target: drift.key, set: values })
      .run();
  }
}
