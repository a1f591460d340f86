import { and, desc, eq, gt, inArray, isNotNull, isNull, max, notInArray, or, sql } from "drizzle-orm";
import { z } from "zod";
import type { Db, Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { aliases, dnsRecords, events, instances, operations, snapshots } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { instancePages, isOnPage } from "#server/instances/instancePages.ts";
import type { Site } from "#server/operations/engine/define.ts";
import { canBeResumed } from "#server/operations/engine/resumable.ts";
import { kindsThat, throwawayKinds } from "#server/operations/registry.ts";
import { withoutComment } from "#server/providers/digitalocean/inventory.ts";
import type { Expected } from "./compare.ts";

/** What a round reads of our rows. */
const queries = prepared((tx: Pick<Tx, "select">) => {
  const leaving = kindsThat(({ leavesAtDigitalOcean }) => leavesAtDigitalOcean !== undefined);
  const repairing = kindsThat(({ repairsDrift }) => repairsDrift === true);
  // The plus keeps SQLite from using the index by kind, which covers the operations of all instances.
  const kind = sql`+${operations.kind}`;
  const address = sql<string | null>`json_extract(${operations.facts}, '$.address')`;
  return {
    instances: tx
      .select({
        ...{ id: instances.id, slug: instances.slug, domain: instances.domain, status: instances.status },
        ...{ dropletId: instances.dropletId, ipAddress: instances.ipAddress, accountId: instances.accountId },
        ...{ size: instances.size, priceMonthlyCents: instances.priceMonthlyCents },
        ...{ snapshotId: instances.snapshotId, createdAt: instances.createdAt },
        ...{ destroyedAt: instances.destroyedAt, purgedAt: instances.purgedAt },
      })
      .from(instances)
      .where(isOnPage())
      .prepare(),
    aliases: tx.select().from(aliases).where(isOnPage(aliases.instanceId)).prepare(),
    records: tx.select().from(dnsRecords).where(isOnPage(dnsRecords.instanceId)).prepare(),
    snapshots: tx
      .select()
      .from(snapshots)
      .where(
        and(
          isOnPage(snapshots.instanceId),
          or(isNull(snapshots.accountId), eq(snapshots.accountId, given("account"))),
        ),
      )
      .prepare(),
    leaving: tx
      .select({
        id: operations.id,
        sequence: operations.sequence,
        instanceId: operations.instanceId,
        kind: operations.kind,
        restores: sql`json_extract(${operations.facts}, '$.source') is not null`.mapWith(Boolean),
      })
      .from(operations)
      .where(and(isOnPage(operations.instanceId), inArray(kind, leaving)))
      .prepare(),
    lastChanges: tx
      .select({ instanceId: operations.instanceId, at: max(operations.endedAt) })
      .from(operations)
      .where(
        and(
          isOnPage(operations.instanceId),
          isNotNull(operations.endedAt),
          notInArray(operations.kind, repairing),
        ),
      )
      .groupBy(operations.instanceId)
      .prepare(),
    busy: tx
      .select({ instanceId: operations.instanceId })
      .from(operations)
      .where(inArray(operations.state, ["running", "cancelling"]))
      .prepare(),
    openRestoreTests: tx
      .select({ facts: operations.facts })
      .from(operations)
      .where(and(inArray(operations.kind, throwawayKinds()), canBeResumed()))
      .prepare(),
    /** IP addresses of earlier droplets, whose instances have moved or are gone: their operations still hold them. */
    addresses: tx
      .select({ address })
      .from(operations)
      .where(and(isOnPage(operations.instanceId), isNotNull(address)))
      .groupBy(address)
      .prepare(),
    moves: tx
      .select({
        sequence: operations.sequence,
        instanceId: operations.instanceId,
        facts: operations.facts,
      })
      .from(operations)
      .where(and(isOnPage(operations.instanceId), eq(kind, "change-address")))
      .prepare(),
  };
});

/** Fewer than elsewhere, because all their operations are read: there may be hundreds for each. */
const instancesPerRead = 25;

/**
 * What our rows say, for {@link compare} with what the team `account` has. They're read page by page, so not all at the
 * same moment: don't judge what changes meanwhile, see {@link changedSince}.
 */
export async function readExpected(
  { db, wait, site }: Reading,
  account: string,
  signal?: AbortSignal,
): Promise<Expected> {
  const ask = queries(db);
  const read = {
    ...{ instances: emptyFor(ask.instances), aliases: emptyFor(ask.aliases), records: emptyFor(ask.records) },
    ...{ snapshots: emptyFor(ask.snapshots), leaving: emptyFor(ask.leaving), moves: emptyFor(ask.moves) },
    ...{ addresses: emptyFor(ask.addresses), changes: emptyFor(ask.lastChanges) },
  };
  for await (const page of instancePages({ db, wait }, signal, instancesPerRead)) {
    read.instances.push(...ask.instances.all(page));
    read.aliases.push(...ask.aliases.all(page));
    read.records.push(...ask.records.all(page));
    read.snapshots.push(...ask.snapshots.all({ ...page, account }));
    read.leaving.push(...ask.leaving.all(page));
    read.moves.push(...ask.moves.all(page));
    await wait(1, signal);
    read.addresses.push(...ask.addresses.all(page));
    await wait(1, signal);
    read.changes.push(...ask.lastChanges.all(page));
  }
  // If two had the same name, the later one wins.
  const rows = read.instances.sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1));
  const made = read.records.sort((a, b) => a.id - b.id);
  const changed = new Map(read.changes.map(({ instanceId, at }) => [instanceId, at ?? 0]));
  return {
    instances: rows.map((row) => ({
      ...row,
      changedAt: Math.max(row.createdAt, row.destroyedAt ?? 0, changed.get(row.id) ?? 0),
    })),
    aliases: read.aliases,
    snapshots: read.snapshots,
    operations: read.leaving.sort(bySequence),
    busy: busyInstances(db),
    elsewhere: new Set(
      rows.flatMap(({ id, accountId }) => (accountId === null || accountId === account ? [] : [id])),
    ),
    heldDroplets: heldDroplets(db),
    addresses: new Set([
      ...rows.flatMap(({ ipAddress }) => ipAddress ?? []),
      ...made.map(({ address }) => address),
      ...read.addresses.flatMap(({ address }) => address ?? []),
    ]),
    hosts: new Map([
      ...made.map(({ instanceId, name, domain }) => hostEntry({ instanceId, slug: name, domain })),
      ...read.moves.sort(bySequence).flatMap(formerHosts),
      ...[...read.aliases, ...rows.map(named)].map(hostEntry),
    ]),
    recordIds: new Set(made.map(({ id }) => id)),
    sshKey: { name: site.keyName, publicKey: withoutComment(site.publicKey) },
  };
}

type Reading = { db: Db; site: Pick<Site, "keyName" | "publicKey"> } & Pick<Clock, "wait">;

/** An empty list, typed by the rows that the query returns. */
const emptyFor = <Row>(_query: { all: (values: never) => Row[] }): Row[] => [];
const bySequence = (a: { sequence: number }, b: { sequence: number }): number => a.sequence - b.sequence;

/** The id of the newest event: every change of an instance, or of what belongs to it, appends one. */
export const newestEvent = (tx: Pick<Tx, "select">): number => eventQueries(tx).newest.get()?.id ?? 0;

/** Instances that changed after that event, and those with a live operation. */
export const changedSince = (tx: Pick<Tx, "select">, eventId: number): Set<string> =>
  new Set([
    ...busyInstances(tx),
    ...eventQueries(tx)
      .since.all({ eventId })
      .map(({ instanceId }) => instanceId),
  ]);

const eventQueries = prepared((tx: Pick<Tx, "select">) => ({
  newest: tx.select({ id: events.id }).from(events).orderBy(desc(events.id)).limit(1).prepare(),
  since: tx
    .select({ instanceId: events.instanceId })
    .from(events)
    .where(gt(events.id, given("eventId")))
    .groupBy(events.instanceId)
    .prepare(),
}));

type Named = { instanceId: string; slug: string; domain: string };
const named = ({ id, slug, domain }: { id: string; slug: string; domain: string }): Named => ({
  ...{ instanceId: id, slug, domain },
});
const hostEntry = ({ instanceId, slug, domain }: Named): [string, string] => [
  `${slug}.${domain}`,
  instanceId,
];

const busyInstances = (tx: Pick<Tx, "select">): Set<string> =>
  new Set(
    queries(tx)
      .busy.all()
      .map(({ instanceId }) => instanceId),
  );

/** A failed test restore keeps its throwaway as long as Retry or Cancel may need it. */
function heldDroplets(tx: Pick<Tx, "select">): Set<number> {
  const tests = queries(tx).openRestoreTests.all();
  return new Set(
    tests.flatMap(({ facts }) => (typeof facts.dropletId === "number" ? [facts.dropletId] : [])),
  );
}

const place = z.object({ slug: z.string(), domain: z.string() });
const moves = z.object({ previous: place, next: place }).partial();

/** Names an instance had before it moved, or was about to get. */
function formerHosts({ instanceId, facts }: { instanceId: string; facts: unknown }): [string, string][] {
  const { previous, next } = moves.parse(facts);
  return [previous, next].flatMap((at) => (at === undefined ? [] : [hostEntry({ instanceId, ...at })]));
}
