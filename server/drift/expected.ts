import { and, asc, eq, inArray, isNotNull, isNull, max, notInArray, or, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { aliases, dnsRecords, instances, operations, snapshots } from "#db/schema.ts";
import type { Site } from "#server/operations/engine/define.ts";
import { canBeResumed } from "#server/operations/engine/resumable.ts";
import { kindsThat } from "#server/operations/registry.ts";
import { withoutComment } from "#server/providers/digitalocean/inventory.ts";
import type { Expected } from "./compare.ts";

/** What a round reads of our rows. */
const queries = prepared((tx: Pick<Tx, "select">) => {
  const leaving = kindsThat(({ leavesAtDigitalOcean }) => leavesAtDigitalOcean !== undefined);
  const repairing = kindsThat(({ repairsDrift }) => repairsDrift === true);
  const throwaways = kindsThat(({ leavesAtDigitalOcean }) => leavesAtDigitalOcean === "throwaway-droplet");
  const address = sql<string | null>`json_extract(${operations.facts}, '$.address')`;
  return {
    instances: tx.select().from(instances).orderBy(asc(instances.createdAt), asc(instances.id)).prepare(),
    aliases: tx.select().from(aliases).prepare(),
    records: tx.select().from(dnsRecords).prepare(),
    snapshots: tx
      .select()
      .from(snapshots)
      .where(or(isNull(snapshots.accountId), eq(snapshots.accountId, given("account"))))
      .prepare(),
    leaving: tx
      .select({
        id: operations.id,
        instanceId: operations.instanceId,
        kind: operations.kind,
        restores: sql`json_extract(${operations.facts}, '$.source') is not null`.mapWith(Boolean),
      })
      .from(operations)
      .where(inArray(operations.kind, leaving))
      .orderBy(asc(operations.sequence))
      .prepare(),
    lastChanges: tx
      .select({ instanceId: operations.instanceId, at: max(operations.endedAt) })
      .from(operations)
      .where(and(isNotNull(operations.endedAt), notInArray(operations.kind, repairing)))
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
      .where(and(inArray(operations.kind, throwaways), canBeResumed()))
      .prepare(),
    addresses: tx.select({ address }).from(operations).where(isNotNull(address)).groupBy(address).prepare(),
    moves: tx
      .select({ instanceId: operations.instanceId, facts: operations.facts })
      .from(operations)
      .where(eq(operations.kind, "change-address"))
      .orderBy(asc(operations.sequence))
      .prepare(),
  };
});

/** What our rows say, for {@link compare} with what the team `account` has. */
export function readExpected(tx: Tx, site: Pick<Site, "keyName" | "publicKey">, account: string): Expected {
  const changed = lastChanges(tx);
  const ask = queries(tx);
  const rows = ask.instances.all();
  const names = ask.aliases.all();
  const made = ask.records.all();
  return {
    instances: rows.map((row) => ({
      ...row,
      changedAt: Math.max(row.createdAt, row.destroyedAt ?? 0, changed.get(row.id) ?? 0),
    })),
    aliases: names,
    snapshots: ask.snapshots.all({ account }),
    operations: ask.leaving.all(),
    busy: busyInstances(tx),
    elsewhere: new Set(
      rows.flatMap(({ id, accountId }) => (accountId === null || accountId === account ? [] : [id])),
    ),
    heldDroplets: heldDroplets(tx),
    addresses: new Set([
      ...rows.flatMap(({ ipAddress }) => ipAddress ?? []),
      ...made.map(({ address }) => address),
      ...formerAddresses(tx),
    ]),
    hosts: new Map([
      ...made.map(({ instanceId, name, domain }) => hostEntry({ instanceId, slug: name, domain })),
      ...formerHosts(tx),
      ...[...names, ...rows.map(named)].map(hostEntry),
    ]),
    recordIds: new Set(made.map(({ id }) => id)),
    sshKey: { name: site.keyName, publicKey: withoutComment(site.publicKey) },
  };
}

type Named = { instanceId: string; slug: string; domain: string };
const named = ({ id, slug, domain }: typeof instances.$inferSelect): Named => ({
  ...{ instanceId: id, slug, domain },
});
const hostEntry = ({ instanceId, slug, domain }: Named): [string, string] => [
  `${slug}.${domain}`,
  instanceId,
];

/** When an operation last changed each instance, Unix ms. */
function lastChanges(tx: Tx): Map<string, number> {
  const rows = queries(tx).lastChanges.all();
  return new Map(rows.map(({ instanceId, at }) => [instanceId, at ?? 0]));
}

const busyInstances = (tx: Tx): Set<string> =>
  new Set(
    queries(tx)
      .busy.all()
      .map(({ instanceId }) => instanceId),
  );

/** A failed test restore keeps its throwaway as long as Retry or Cancel may need it. */
function heldDroplets(tx: Tx): Set<number> {
  const tests = queries(tx).openRestoreTests.all();
  return new Set(
    tests.flatMap(({ facts }) => (typeof facts.dropletId === "number" ? [facts.dropletId] : [])),
  );
}

/** Addresses that droplets had whose instances are elsewhere, or gone: operations remember them. */
function formerAddresses(tx: Tx): string[] {
  const rows = queries(tx).addresses.all();
  return rows.flatMap((row) => row.address ?? []);
}

const place = z.object({ slug: z.string(), domain: z.string() });
const moves = z.object({ previous: place, next: place }).partial();

/** Names that instances had before they moved, or were to have. */
function formerHosts(tx: Tx): [string, string][] {
  const rows = queries(tx).moves.all();
  return rows.flatMap(({ instanceId, facts }) => {
    const { previous, next } = moves.parse(facts);
    return [previous, next].flatMap((at) => (at === undefined ? [] : [hostEntry({ instanceId, ...at })]));
  });
}
