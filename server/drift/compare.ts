import type { InstanceStatus, OperationKind } from "#db/schema.ts";
import { registry } from "#server/operations/registry.ts";
import {
  instanceTag,
  operationIdOf,
  operationTag,
  restoreTestTag,
} from "#server/operations/steps/droplet.ts";
import { type Droplet, ourTag } from "#server/providers/digitalocean/digitalocean.ts";
import type { ARecord, Snapshot } from "#server/providers/digitalocean/inventory.ts";
import type { Finding } from "./findings.ts";

/** What our rows say. */
export type Expected = {
  instances: readonly BookedInstance[];
  /** Names beside their own: "next" ones belong to a move that is not over, and are not judged. */
  aliases: readonly { instanceId: string; slug: string; domain: string; role: "next" | "redirect" }[];
  snapshots: readonly {
    id: number;
    instanceId: string;
    name: string;
    takenAt: number;
    removingAt: number | null;
    removedAt: number | null;
  }[];
  /** Those that buy droplets or take snapshots, oldest first. `restores`: its droplet is to get a backup's data. */
  operations: readonly { id: string; instanceId: string; kind: OperationKind; restores: boolean }[];
  /** Instances with a live operation: nothing of theirs is judged. */
  busy: ReadonlySet<string>;
  /** Instances whose droplet is another team's: whether it is there, and how, can't be seen here. */
  elsewhere: ReadonlySet<string>;
  /** Throwaway droplets that a failed operation keeps for its retry. */
  heldDroplets: ReadonlySet<number>;
  /** Every address that a droplet of ours has or had. */
  addresses: ReadonlySet<string>;
  /** Every host name that an instance has or had, with the instance. */
  hosts: ReadonlyMap<string, string>;
  /** The ids of the DNS records we are known to have made. */
  recordIds: ReadonlySet<number>;
  /** "ssh-ed25519 AAAA…", without its comment. */
  sshKey: { name: string; publicKey: string };
};

type BookedInstance = {
  id: string;
  slug: string;
  domain: string;
  status: InstanceStatus;
  dropletId: number | null;
  ipAddress: string | null;
  size: string;
  priceMonthlyCents: number;
  snapshotId: number | null;
  destroyedAt: number | null;
  purgedAt: number | null;
  /** When an operation last changed it, Unix ms. */
  changedAt: number;
};

/** What DigitalOcean has. */
export type Inventory = {
  /** Those with our tag, and those of our rows that were found only when they were asked for by their id. */
  droplets: readonly Droplet[];
  /** Droplets of our rows that neither the list nor a direct look knows. */
  gone: ReadonlySet<number>;
  snapshots: readonly Snapshot[];
  /** A records by domain; undefined for a domain that the account does not have. */
  records: ReadonlyMap<string, readonly ARecord[] | undefined>;
  /** Public keys, without their comments. */
  sshKeys: readonly string[];
};

export type Found = {
  instanceId: string;
  finding: Finding;
  /** What it costs a month that no row accounts for, in cents. */
  monthlyCents: number;
  /** False while it may still be a matter of seconds: the lists lag, and somebody may be about to write it down. */
  isSettled: boolean;
};

/** Whatever was made or changed within this time is not judged. */
export const settledMs = 10 * 60_000;
/** What DigitalOcean asks for a GB of a snapshot, in cents a month. */
const snapshotCentsPerGb = 6;

/**
 * Where DigitalOcean and our rows differ, both ways. Skips busy instances and whatever isn't ours. Yields in parts, so
 * that the caller can let other work run in between.
 */
export function* compare(expected: Expected, inventory: Inventory, now: number): Generator<Found[]> {
  for (const part of [ownedDroplets, orphanedDroplets, snapshotFindings, recordFindings, sshKeyFindings])
    yield part(expected, inventory, now).filter(({ instanceId }) => !expected.busy.has(instanceId));
}

const isSettled = (at: number, now: number): boolean => now - at >= settledMs;
const hostOf = ({ slug, domain }: { slug: string; domain: string }) => `${slug}.${domain}`;

/** Droplets of our rows: gone, or different from what the row says. */
function ownedDroplets(
  { instances, elsewhere }: Expected,
  { droplets, gone }: Inventory,
  now: number,
): Found[] {
  const byId = new Map(droplets.map((droplet) => [droplet.id, droplet]));
  return instances.flatMap((instance): Found[] => {
    const { id: instanceId, dropletId, changedAt } = instance;
    if (dropletId === null || elsewhere.has(instanceId)) return [];
    const found = (finding: Finding, monthlyCents = 0): Found => ({
      ...{ instanceId, finding, monthlyCents },
      isSettled: isSettled(changedAt, now),
    });
    if (gone.has(dropletId)) return [found({ type: "missing-droplet", dropletId })];
    const droplet = byId.get(dropletId);
    return droplet === undefined ? [] : differences(instance, dropletId, droplet, found);
  });
}

function differences(
  instance: BookedInstance,
  dropletId: number,
  droplet: Droplet,
  found: (finding: Finding, monthlyCents?: number) => Found,
): Found[] {
  const differing: Found[] = [];
  const { ipAddress: address, size, priceMonthlyCents } = instance;
  if (droplet.address !== undefined && droplet.address !== address)
    differing.push(found({ type: "changed-address", dropletId, recorded: address, actual: droplet.address }));
  const actualPrice = droplet.priceMonthlyCents;
  if (droplet.sizeSlug !== size)
    differing.push(
      found(
        {
          ...{ type: "changed-size", dropletId, recorded: size, actual: droplet.sizeSlug },
          ...{ recordedPrice: priceMonthlyCents, actualPrice },
        },
        actualPrice - priceMonthlyCents,
      ),
    );
  const missing = [ourTag, instanceTag(instance.id)].filter((tag) => !droplet.tags.includes(tag));
  if (missing.length > 0) differing.push(found({ type: "changed-tags", dropletId, missing }));
  return differing;
}

/**
 * Droplets that we bought and no row knows. Only those whose tags name an operation or an instance of ours: another
 * Spawner may share the account.
 */
function orphanedDroplets(expected: Expected, { droplets }: Inventory, now: number): Found[] {
  const operations = new Map(expected.operations.map((row) => [row.id, row]));
  const instances = new Map(expected.instances.map((row) => [row.id, row]));
  const owned = new Set([...expected.instances.map((row) => row.dropletId), ...expected.heldDroplets]);
  return droplets.flatMap((droplet): Found[] => {
    const { id: dropletId, name, tags } = droplet;
    if (owned.has(dropletId) || !tags.includes(ourTag)) return [];
    const buyer = operations.get(operationIdOf(tags) ?? "");
    const named = expected.instances.find(
      ({ id }) => tags.includes(instanceTag(id)) || tags.includes(restoreTestTag(id)),
    );
    const instance = buyer === undefined ? named : instances.get(buyer.instanceId);
    const ownTag = buyer === undefined ? tags.find((tag) => isTagOf(tag, named?.id)) : operationTag(buyer.id);
    if (instance === undefined || ownTag === undefined) return [];
    const createdAt = Date.parse(droplet.createdAt);
    const isAdoptable = isOwnDroplet(expected, instance, droplet, buyer);
    return [
      {
        instanceId: instance.id,
        finding: { type: "orphaned-droplet", dropletId, name, createdAt, ownTag, isAdoptable },
        monthlyCents: droplet.priceMonthlyCents,
        isSettled: isSettled(createdAt, now) && isSettled(instance.changedAt, now),
      },
    ];
  });
}

const isTagOf = (tag: string, instanceId: string | undefined) =>
  instanceId !== undefined && (tag === instanceTag(instanceId) || tag === restoreTestTag(instanceId));

/**
 * Whether the instance can go on with this droplet: it has none, its name is free, and what was bought for it last is
 * this one. A restored one may not hold its data yet, so that a failed restore is left to its Retry.
 */
function isOwnDroplet(
  expected: Expected,
  instance: BookedInstance,
  { tags }: Droplet,
  buyer: Expected["operations"][number] | undefined,
): boolean {
  const newest = expected.operations.findLast(
    ({ instanceId, kind }) =>
      instanceId === instance.id && registry[kind].leavesAtDigitalOcean === "own-droplet",
  );
  const isTaken =
    expected.instances.some(
      (other) => other.id !== instance.id && other.destroyedAt === null && hostOf(other) === hostOf(instance),
    ) ||
    expected.aliases.some((alias) => alias.instanceId !== instance.id && hostOf(alias) === hostOf(instance));
  return (
    buyer !== undefined &&
    buyer.id === newest?.id &&
    !buyer.restores &&
    tags.includes(instanceTag(instance.id)) &&
    instance.dropletId === null &&
    (instance.status === "failed" || instance.status === "destroyed") &&
    !isTaken
  );
}

/** The operation that took a snapshot with this name; undefined when it was none of a Spawner's. */
function takerOf(name: string): string | undefined {
  return /^.+-final-([0-9a-z]+)$/.exec(name)?.[1];
}

function snapshotFindings(expected: Expected, inventory: Inventory, now: number): Found[] {
  const instances = new Map(expected.instances.map((row) => [row.id, row]));
  const operations = new Map(expected.operations.map((row) => [row.id, row]));
  const rows = new Map(expected.snapshots.map((row) => [row.id, row]));
  const there = new Set(inventory.snapshots.map(({ id }) => id));
  const missing = expected.snapshots.flatMap(({ id, instanceId, name, takenAt, ...row }): Found[] =>
    row.removingAt !== null || row.removedAt !== null || there.has(id)
      ? []
      : [
          {
            ...{ instanceId, monthlyCents: 0 },
            finding: { type: "missing-snapshot", snapshotId: id, name },
            isSettled:
              isSettled(takenAt, now) && isSettled(instances.get(instanceId)?.changedAt ?? takenAt, now),
          },
        ],
  );
  const orphaned = inventory.snapshots.flatMap(({ id, name, sizeGb, createdAt }): Found[] => {
    const row = rows.get(id);
    const taker = operations.get(takerOf(name) ?? "");
    const instance = instances.get(taker?.instanceId ?? "");
    if (taker?.kind !== "destroy" || instance === undefined) return [];
    if (row !== undefined && row.removedAt === null) return [];
    return [
      {
        instanceId: instance.id,
        finding: {
          ...{ type: "orphaned-snapshot", snapshotId: id, name, sizeGb, createdAt, operationId: taker.id },
          isAdoptable:
            instance.status === "destroyed" && instance.snapshotId === null && instance.purgedAt === null,
        },
        monthlyCents: Math.round(sizeGb * snapshotCentsPerGb),
        isSettled: [createdAt, row?.removedAt ?? 0, instance.changedAt].every((at) => isSettled(at, now)),
      },
    ];
  });
  return [...missing, ...orphaned];
}

/** Statuses in which an instance's name is to lead to its droplet. */
const stands: readonly InstanceStatus[] = ["running", "unreachable", "off"];

type Name = { instance: BookedInstance; slug: string; domain: string; address: string };

/** The names that are to lead to a droplet, as long as its own ipAddress is beyond doubt. */
function expectedNames({ instances, aliases, elsewhere }: Expected, { droplets, gone }: Inventory): Name[] {
  const addresses = new Map(droplets.map(({ id, address }) => [id, address]));
  const redirects = Map.groupBy(
    aliases.filter(({ role }) => role === "redirect"),
    ({ instanceId }) => instanceId,
  );
  return instances.flatMap((instance): Name[] => {
    const { id, dropletId, ipAddress, destroyedAt, status } = instance;
    if (destroyedAt !== null || dropletId === null || ipAddress === null || !stands.includes(status))
      return [];
    if (elsewhere.has(id)) return [];
    const actual = addresses.get(dropletId);
    if (gone.has(dropletId) || (actual !== undefined && actual !== ipAddress)) return [];
    return [instance, ...(redirects.get(id) ?? [])].map(({ slug, domain }) => ({
      instance,
      slug,
      domain,
      address: ipAddress,
    }));
  });
}

function recordFindings(expected: Expected, inventory: Inventory, now: number): Found[] {
  const names = Map.groupBy(expectedNames(expected, inventory), (name) => name.domain);
  const owners = new Map(expected.instances.map((row) => [row.id, row]));
  return [...inventory.records].flatMap(([domain, records]): Found[] => {
    const ofDomain = names.get(domain) ?? [];
    if (records === undefined) return missingDomain(domain, ofDomain, now);
    const byName = Map.groupBy(records, ({ name }) => name);
    return [
      ...ofDomain.flatMap((name) => nameFindings(expected, name, byName.get(name.slug) ?? [], now)),
      ...orphanedRecords(expected, owners, { domain, records }, now),
    ];
  });
}

function missingDomain(domain: string, names: readonly Name[], now: number): Found[] {
  const [first] = names.filter((name) => isSettled(name.instance.changedAt, now));
  if (first === undefined) return [];
  const finding = { type: "missing-domain", domain } as const;
  return [{ instanceId: first.instance.id, finding, monthlyCents: 0, isSettled: true }];
}

const isOurs = (expected: Expected, record: ARecord): boolean =>
  expected.recordIds.has(record.id) || expected.addresses.has(record.data);

/** What's wrong with a name that should point to a droplet; `there`: all its records. */
function nameFindings(expected: Expected, wanted: Name, there: readonly ARecord[], now: number): Found[] {
  const { instance, slug: name, domain, address } = wanted;
  const found = (finding: Finding): Found => ({
    ...{ instanceId: instance.id, finding, monthlyCents: 0 },
    isSettled: isSettled(instance.changedAt, now),
  });
  const others = there.filter((record) => record.data !== address);
  if (others.length < there.length)
    // A second record beside the right one sends some visitors elsewhere.
    return others
      .filter((record) => isOurs(expected, record))
      .map((record) => found(orphanedRecord(domain, record)));
  // Only one that we are known to have made is corrected.
  const first = others.find(({ id }) => expected.recordIds.has(id)) ?? others[0];
  if (first === undefined) return [found({ type: "missing-record", domain, name, address })];
  return [
    found({
      ...{ type: "changed-record", recordId: first.id, domain, name, address },
      ...{ actual: first.data, isOurs: expected.recordIds.has(first.id) },
    }),
  ];
}

const orphanedRecord = (domain: string, { id, name, data }: ARecord): Finding => ({
  ...{ type: "orphaned-record", recordId: id, domain, name, address: data },
});

/** Records of ours whose name isn't used by any instance any more. */
function orphanedRecords(
  expected: Expected,
  owners: ReadonlyMap<string, BookedInstance>,
  { domain, records }: { domain: string; records: readonly ARecord[] },
  now: number,
): Found[] {
  const inUse = new Set([
    ...expected.instances.filter((row) => row.destroyedAt === null).map(hostOf),
    ...expected.aliases.map(hostOf),
  ]);
  return records.flatMap((record): Found[] => {
    const host = `${record.name}.${domain}`;
    const owner = owners.get(expected.hosts.get(host) ?? "");
    if (inUse.has(host) || owner === undefined) return [];
    if (!isOurs(expected, record)) return [];
    return [
      {
        ...{ instanceId: owner.id, finding: orphanedRecord(domain, record), monthlyCents: 0 },
        isSettled: isSettled(owner.changedAt, now),
      },
    ];
  });
}

/** Without our key the next droplet could not be entered. It is asked for by no row, so that any standing instance does. */
function sshKeyFindings(
  { instances, elsewhere, sshKey }: Expected,
  { sshKeys }: Inventory,
  now: number,
): Found[] {
  if (sshKeys.includes(sshKey.publicKey)) return [];
  const user = instances.find(
    ({ id, status, dropletId, changedAt }) =>
      dropletId !== null && !elsewhere.has(id) && stands.includes(status) && isSettled(changedAt, now),
  );
  if (user === undefined) return [];
  const finding = { type: "missing-ssh-key", name: sshKey.name } as const;
  return [{ instanceId: user.id, finding, monthlyCents: 0, isSettled: true }];
}
