import { join } from "node:path";
import { Readable } from "node:stream";
import { and, eq, isNull } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  aliases,
  backups,
  dnsRecords,
  instances,
  type JsonObject,
  mail,
  noBackupPlan,
  type OperationKind,
  type OperationState,
  operations,
  settings,
  snapshots,
  steps,
} from "#db/schema.ts";
import { restoreBackup } from "#server/backups/commands/restoreBackup.ts";
import { anchorName, anchorSchema, createClock } from "#server/clock.ts";
import { newId } from "#server/ids.ts";
import { bringBack } from "#server/instances/commands/bringBack.ts";
import { changeAddress } from "#server/instances/commands/changeAddress.ts";
import { setBackupPlan } from "#server/instances/commands/setBackupPlan.ts";
import { cancelOperation } from "#server/operations/cancelAndRetry.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { newestGood } from "#server/operations/goodBackups.ts";
import { registry } from "#server/operations/registry.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  insertUser,
  only,
  operationOf,
  runToEnd,
} from "#server/operations/testing/testEngine.ts";
import type { BackupStore } from "#server/providers/backups/backups.ts";
import { createFolderStore } from "#server/providers/backups/folderStore.ts";
import type { DigitalOcean, Droplet } from "#server/providers/digitalocean/digitalocean.ts";
import type { FoundRecord } from "#server/providers/digitalocean/dns.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import { testTimers } from "#server/testing/testTimers.ts";
import { runMaintenance } from "./maintenance.ts";

const day = 86_400_000;
let world: ReturnType<typeof createTestEngine>;
let removed: string[];
let isRunNeeded: (key: string) => boolean;
let records: FoundRecord[];
let listed: Droplet[];
let snapshotsThere: { id: number; name: string; sizeGb: number }[];

beforeEach(() => {
  removed = [];
  records = [];
  listed = [];
  snapshotsThere = [];
  world = createTestEngine();
  world.engine.providers = only<Providers>("providers", {
    backups: createFolderStore(join(world.folder, "backups")),
    playbooks: only<PlaybookRunner>("playbooks", {
      tidy: async (isNeeded) => {
        isRunNeeded = isNeeded;
      },
    }),
    digitalocean: only<DigitalOcean>("digitalocean", {
      account: async () => ({ id: "our-team", email: "e", status: "active", dropletLimit: 9 }),
      for: () => world.engine.providers.digitalocean,
      listDroplets: async () => [],
      listAllDroplets: async () => listed,
      listSnapshots: async () => snapshotsThere.map((one) => ({ ...one, createdAt: world.clock.now })),
      listARecords: async () => [],
      listSshKeys: async () => ["ssh-ed25519 AAAA"],
      getDroplet: async (id) => listed.find((one) => one.id === id),
      deleteSnapshot: async (id) => removed.push(`snapshot ${id}`) > 0,
      findRecords: async (domain, name) => records.filter((one) => one.name === name && domain !== ""),
      removeRecord: async (_domain, id) => {
        removed.push(`record ${id}`);
        return true;
      },
    }),
  });
});
afterEach(() => world.close());

const ran = { answeredAt: 1, hostKey: "ssh-ed25519 AAAA", ipAddress: "127.0.0.9", dropletId: 1 };
const rowOf = (id: string) => {
  const row = world.db.select().from(instances).where(eq(instances.id, id)).get();
  if (row === undefined) throw new Error("no row");
  return row;
};
const begun = () =>
  world.db.select({ kind: operations.kind, who: operations.createdBy }).from(operations).all();

async function addBackup(
  instanceId: string,
  ageDays: number,
  state: "good" | "failed" = "good",
  values: Partial<typeof backups.$inferInsert> = {},
): Promise<string> {
  const id = newId();
  const createdAt = world.clock.now - ageDays * day;
  const key = `${id}.tar.gz`;
  await world.engine.providers.backups.put(key, Readable.from([Buffer.from("x")]));
  world.db
    .insert(backups)
    .values({
      ...{
        id,
        sequence: 1000 - ageDays,
        instanceId,
        operationId: id,
        reason: "manual",
        state,
        key,
        version: "2.14.0",
      },
      ...{ createdAt, takenAt: createdAt, verifiedAt: createdAt, bytes: 1, sha256: "0" },
      contents: { files: 1, bytes: 1, tree: "0", counts: {} },
      ...values,
    })
    .run();
  return id;
}
const kept = () =>
  world.db
    .select()
    .from(backups)
    .all()
    .filter((row) => row.state !== "removed")
    .map((row) => row.id);

test("a backup that is due begins by itself, and the next one is planned", async () => {
  const plan = { ...noBackupPlan, every: "day" as const, at: "03:00", timeZone: "UTC", setAt: 1 };
  const id = insertInstance(world.db, { ...ran, backupPlan: plan, nextBackupAt: world.clock.now - 1000 });
  await runMaintenance(world.engine);
  expect(begun()).toEqual([{ kind: "backup", who: "Spawner" }]);
  expect(rowOf(id).nextBackupAt).toBeGreaterThan(world.clock.now);
  // The next look finds nothing to begin.
  await runMaintenance(world.engine);
  expect(begun()).toHaveLength(1);
});

test.each(["backup", "test-restore"] as const)(
  "a plan that is changed while its %s begins is what counts",
  async (kind) => {
    const { db, engine, clock } = world;
    const backupPlan = { ...noBackupPlan, every: "week" as const, testRestoreEvery: "week" as const };
    const due = kind === "backup" ? { nextBackupAt: clock.now } : { nextRestoreTestAt: clock.now };
    const instanceId = insertInstance(db, { ...ran, backupPlan, ...due });
    await addBackup(instanceId, 1);
    engine.wake = () => setBackupPlan(engine, { instanceId, plan: noBackupPlan }, "joe");
    await runMaintenance(engine);
    expect(begun()).toMatchObject([{ kind }]);
    expect(rowOf(instanceId)).toMatchObject({ nextBackupAt: null, nextRestoreTestAt: null });
  },
);

test("what is off when its backup is due is asked again later", async () => {
  const plan = { ...noBackupPlan, every: "day" as const, setAt: 1 };
  const id = insertInstance(world.db, {
    ...ran,
    status: "off",
    backupPlan: plan,
    nextBackupAt: world.clock.now,
  });
  await runMaintenance(world.engine);
  expect(begun()).toEqual([]);
  expect(rowOf(id).nextBackupAt).toBe(world.clock.now + 10 * 60_000);
});

test("a due test restore takes the newest good backup", async () => {
  const plan = { ...noBackupPlan, testRestoreEvery: "week" as const, setAt: 1 };
  const id = insertInstance(world.db, { ...ran, backupPlan: plan, nextRestoreTestAt: world.clock.now });
  const backupId = await addBackup(id, 1);
  await runMaintenance(world.engine);
  const [operation] = world.db.select().from(operations).all();
  expect(operation).toMatchObject({
    kind: "test-restore",
    mutating: false,
    facts: { source: { id: backupId } },
  });
  expect(rowOf(id)).toMatchObject({ status: "running", nextRestoreTestAt: world.clock.now + 7 * day });
});

test("backups go by count and by age, never the last good one", async () => {
  const id = insertInstance(world.db, {
    ...ran,
    backupPlan: { ...noBackupPlan, keepCount: 2, keepDays: 30 },
  });
  const newest = await addBackup(id, 1);
  const second = await addBackup(id, 2);
  const third = await addBackup(id, 3);
  const failed = await addBackup(id, 5, "failed");
  const lonely = insertInstance(world.db, { ...ran, slug: "lonely" });
  const old = await addBackup(lonely, 400);
  await runMaintenance(world.engine);
  expect(new Set(kept())).toEqual(new Set([newest, second, old]));
  for (const gone of [third, failed])
    expect(await world.engine.providers.backups.find(`${gone}.tar.gz`)).toBeUndefined();
  expect(await world.engine.providers.backups.find(`${old}.tar.gz`)).toBeDefined();
});

/** An operation that has ended as it is told. */
function ended(
  instanceId: string,
  kind: OperationKind,
  state: OperationState,
  facts: JsonObject = {},
): string {
  const id = begin(world.engine, instanceId, registry[kind], facts);
  world.db.update(operations).set({ state }).where(eq(operations.id, id)).run();
  return id;
}
const sourceOf = (id: string) => ({
  source: { id, key: `${id}.tar.gz`, bytes: 1, sha256: "0", tree: "0", version: "2.14.0" },
});

test("a Bring back that is cancelled, or fails, costs no backups", async () => {
  const { db, engine } = world;
  const gone = { status: "destroyed", destroyedAt: 1, snapshotId: 7 } as const;
  const backupPlan = { ...noBackupPlan, keepCount: 1, keepDays: 1 };
  const id = insertInstance(db, { ...ran, ...gone, dropletId: null, backupPlan });
  addSnapshot(7, id, true);
  const all = new Set([await addBackup(id, 40), await addBackup(id, 50)]);
  const web = { ...engine, digitalocean: engine.providers.digitalocean, env: { baseDomains: [] } };
  const operationId = await bringBack(web, { instanceId: id }, "joe");
  await runMaintenance(engine);
  expect(new Set(kept())).toEqual(all);
  db.update(operations).set({ state: "failed" }).where(eq(operations.id, operationId)).run();
  db.update(instances).set({ status: "failed", dropletId: 1 }).where(eq(instances.id, id)).run();
  await runMaintenance(engine);
  expect(new Set(kept())).toEqual(all);
  // Back for good, it keeps what its plan says.
  db.update(operations).set({ state: "done" }).where(eq(operations.id, operationId)).run();
  db.update(instances).set({ status: "running", answeredAt: 2 }).where(eq(instances.id, id)).run();
  await runMaintenance(engine);
  expect(kept()).toHaveLength(1);
});

test("safety backups don't displace what the plan keeps, and go by age", async () => {
  const id = insertInstance(world.db, {
    ...ran,
    backupPlan: { ...noBackupPlan, keepCount: 1, keepDays: 30 },
  });
  const planned = await addBackup(id, 5);
  const safety = [];
  for (const age of [1, 2, 3]) safety.push(await addBackup(id, age, "good", { reason: "before-restore" }));
  const old = await addBackup(id, 31, "good", { reason: "before-upgrade" });
  await runMaintenance(world.engine);
  expect(new Set(kept())).toEqual(new Set([planned, ...safety]));
  expect(await world.engine.providers.backups.find(`${old}.tar.gz`)).toBeUndefined();
});

test("what a rollback has put aside doesn't make what Bring back would take go", async () => {
  const backupPlan = { ...noBackupPlan, keepDays: 30 };
  const id = insertInstance(world.db, { ...ran, backupPlan });
  const older = await addBackup(id, 50, "good", { reason: "before-upgrade" });
  const best = await addBackup(id, 41, "good", { reason: "before-upgrade" });
  // The newer data, in the version that didn't answer.
  const putAside = "upgrade-0-rescue";
  await addBackup(id, 40, "good", { id: putAside, reason: "before-restore" });
  expect(newestGood(world.db, id)?.id).toBe(best);
  await runMaintenance(world.engine);
  expect(newestGood(world.db, id)?.id).toBe(best);
  expect(new Set(kept())).toEqual(new Set([best, putAside]));
  expect(kept()).not.toContain(older);
});

test("the source of a failed restore stays as long as it can be tried again", async () => {
  const id = insertInstance(world.db, {
    ...ran,
    backupPlan: { ...noBackupPlan, keepCount: 1, keepDays: 30 },
  });
  const newest = await addBackup(id, 1);
  const source = await addBackup(id, 2);
  ended(id, "restore", "failed", sourceOf(source));
  await runMaintenance(world.engine);
  expect(new Set(kept())).toEqual(new Set([newest, source]));
  // Something else has been done since: nobody can try it again.
  ended(id, "restart", "done");
  await runMaintenance(world.engine);
  expect(kept()).toEqual([newest]);
});

test("a backup that is claimed cannot be restored, and a claim that a crash left is finished", async () => {
  const id = insertInstance(world.db, { ...ran, backupPlan: { ...noBackupPlan, keepCount: 1 } });
  await addBackup(id, 1);
  const old = await addBackup(id, 2);
  const { remove } = world.engine.providers.backups;
  let refusal = "";
  world.engine.providers.backups.remove = async (key) => {
    try {
      restoreBackup(world.engine, { backupId: old }, "joe");
    } catch (error) {
      refusal = String(error);
    }
    if (key.startsWith(old)) throw new Error("The process dies here.");
  };
  await runMaintenance(world.engine);
  expect(refusal).toContain("Only a good backup can be restored");
  expect(await world.engine.providers.backups.find(`${old}.tar.gz`)).toBeDefined();
  world.engine.providers.backups.remove = remove;
  await runMaintenance(world.engine);
  expect(await world.engine.providers.backups.find(`${old}.tar.gz`)).toBeUndefined();
  expect(kept()).not.toContain(old);
});

test("one backup that cannot be removed does not keep the others", async () => {
  const id = insertInstance(world.db, { ...ran, backupPlan: { ...noBackupPlan, keepCount: 1 } });
  const newest = await addBackup(id, 1);
  const stuck = await addBackup(id, 2);
  await addBackup(id, 3);
  const { remove } = world.engine.providers.backups;
  world.engine.providers.backups.remove = async (key) => {
    if (key.startsWith(stuck)) throw new Error("locked");
    await remove(key);
  };
  await runMaintenance(world.engine);
  expect(new Set(kept())).toEqual(new Set([newest, stuck]));
});

const addSnapshot = (
  id: number,
  instanceId: string,
  answered: boolean,
  takenAt = world.clock.now - day,
): void =>
  void world.db
    .insert(snapshots)
    .values({ id, sequence: id, instanceId, operationId: "", name: "s", sizeGb: 1, takenAt, answered })
    .run();

test("each instance keeps its newest snapshot", async () => {
  const instanceId = insertInstance(world.db);
  addSnapshot(1, instanceId, true);
  addSnapshot(2, instanceId, true, 0);
  await runMaintenance(world.engine);
  expect(removed).toEqual(["snapshot 1"]);
});

test("the snapshot of a droplet that never answered goes before the one of a droplet that did", async () => {
  const instanceId = insertInstance(world.db, { status: "destroyed", destroyedAt: 1, snapshotId: 3 });
  addSnapshot(1, instanceId, true);
  addSnapshot(2, instanceId, true);
  addSnapshot(3, instanceId, false);
  await runMaintenance(world.engine);
  expect(removed).toEqual(["snapshot 1"]);
  world.clock.now += 7 * day;
  await runMaintenance(world.engine);
  expect(removed).toEqual(["snapshot 1", "snapshot 3"]);
  expect(rowOf(instanceId).snapshotId).toBe(2);
});

test("a snapshot that turns up after its instance was removed for good goes as well", async () => {
  const gone = { status: "destroyed", destroyedAt: 1, snapshotId: 1 } as const;
  const instanceId = insertInstance(world.db, { ...gone, purgedAt: world.clock.now - 1 });
  addSnapshot(1, instanceId, true);
  await runMaintenance(world.engine);
  expect(removed).toEqual(["snapshot 1"]);
  expect(rowOf(instanceId)).toMatchObject({ snapshotId: null, snapshotAt: null });
});

test("a snapshot is known to be gone only by a token of the team where it was taken", async () => {
  const { db, engine } = world;
  const instanceId = insertInstance(db, { accountId: "our-team" });
  addSnapshot(1, instanceId, true);
  addSnapshot(2, instanceId, true);
  db.update(snapshots).set({ accountId: "team-before" }).where(eq(snapshots.id, 1)).run();
  engine.providers.digitalocean.deleteSnapshot = async () => false;
  const there = () => db.select().from(snapshots).where(isNull(snapshots.removedAt)).all();
  await runMaintenance(engine);
  expect(there().map(({ id }) => id)).toEqual([1, 2]);
  // Nor when it is removed for good.
  const over = { status: "destroyed", destroyedAt: 1, keptUntil: 1 } as const;
  db.update(instances).set(over).where(eq(instances.id, instanceId)).run();
  await runMaintenance(engine);
  const purge = operationOf(db, purges()[0]?.id ?? "");
  await runToEnd(engine, purge.id, (until) => {
    world.clock.now = Math.max(world.clock.now, until);
  });
  expect(operationOf(db, purge.id)).toMatchObject({ state: "failed" });
  expect(there().map(({ id }) => id)).toEqual([1, 2]);
});

test("an instance that never answered keeps its only snapshot", async () => {
  const instanceId = insertInstance(world.db, { status: "destroyed", destroyedAt: 1, snapshotId: 1 });
  addSnapshot(1, instanceId, false, 0);
  await runMaintenance(world.engine);
  expect(removed).toEqual([]);
});

test("an instance comes back from the snapshot of a droplet that answered", async () => {
  const instanceId = insertInstance(world.db, {
    ...{ status: "destroyed", destroyedAt: 1, snapshotId: 2, answeredAt: 1 },
  });
  addSnapshot(1, instanceId, true);
  addSnapshot(2, instanceId, false);
  await bringBack(
    {
      ...world.engine,
      digitalocean: world.engine.providers.digitalocean,
      env: { baseDomains: [] },
    },
    { instanceId },
    "joe",
  );
  expect(world.db.select().from(operations).get()?.facts.imageId).toBe(1);
  // Whether its new droplet answers is not known yet.
  expect(rowOf(instanceId).answeredAt).toBeNull();
});

const aliasNames = () =>
  world.db
    .select()
    .from(aliases)
    .all()
    .map(({ slug, role }) => `${slug} ${role}`);
const recordOf = (id: number, name: string, data = "127.0.0.9") => ({ id, name, data, type: "A" });

test("a redirect ends when its time is over, and not before; nobody else's record goes", async () => {
  const { db, clock, engine } = world;
  const instanceId = insertInstance(db, ran);
  const alias = { instanceId, domain: "intranet.localhost", role: "redirect" as const };
  db.insert(aliases)
    .values([
      { ...alias, id: "a", slug: "over", expiresAt: clock.now - 1 },
      { ...alias, id: "b", slug: "not-yet", expiresAt: clock.now + day },
    ])
    .run();
  const { domain } = alias;
  db.insert(dnsRecords)
    .values({ id: 7, instanceId, domain, name: "over", address: "127.0.0.1", createdAt: 1 })
    .run();
  records = [recordOf(7, "over", "127.0.0.1"), recordOf(8, "over"), recordOf(9, "over", "198.51.100.1")];
  await runMaintenance(engine);
  expect(removed).toEqual(["record 7", "record 8"]);
  expect(aliasNames()).toEqual(["not-yet redirect"]);
  expect(db.select().from(dnsRecords).all()).toEqual([]);
});

test("with another team's token a redirect stays until there is one of ours again", async () => {
  const { db, clock, engine } = world;
  const instanceId = insertInstance(db, { ...ran, accountId: "our-team" });
  const place = { instanceId, domain: "intranet.localhost" };
  db.insert(aliases)
    .values({ ...place, id: "a", slug: "over", role: "redirect", expiresAt: clock.now - 1 })
    .run();
  db.insert(dnsRecords)
    .values({ ...place, id: 7, name: "over", address: "127.0.0.9", createdAt: 1 })
    .run();
  const { account } = engine.providers.digitalocean;
  engine.providers.digitalocean.account = async () => ({ ...(await account()), id: "another-team" });
  await runMaintenance(engine);
  expect(aliasNames()).toEqual(["over redirect"]);
  expect(db.select().from(dnsRecords).all()).toHaveLength(1);
  engine.providers.digitalocean.account = account;
  records = [recordOf(7, "over")];
  await runMaintenance(engine);
  expect({ removed, names: aliasNames() }).toEqual({ removed: ["record 7"], names: [] });
});

describe("a move back to a name that redirects no longer", () => {
  const place = { slug: "over", domain: "intranet.localhost" };
  let instanceId: string;
  const moveBack = () => {
    const { engine } = world;
    const web = { ...engine, digitalocean: engine.providers.digitalocean, env: { baseDomains: [] } };
    return changeAddress(web, { instanceId, ...place, redirectDays: 0 }, "joe");
  };
  /** Does something while the chore asks DigitalOcean for the records of a name. */
  function whileLookingAt(name: string, meanwhile: () => Promise<unknown>): void {
    const { digitalocean } = world.engine.providers;
    const { findRecords } = digitalocean;
    digitalocean.findRecords = async (domain, wanted) => {
      digitalocean.findRecords = findRecords;
      if (wanted === name) await meanwhile();
      return findRecords(domain, wanted);
    };
  }
  beforeEach(() => {
    const { db, clock } = world;
    instanceId = insertInstance(db, ran);
    const alias = { instanceId, domain: place.domain, role: "redirect" as const, expiresAt: clock.now - 1 };
    db.insert(aliases)
      .values([
        { ...alias, id: "a", slug: "first" },
        { ...alias, id: "b", slug: place.slug },
      ])
      .run();
    records = [recordOf(7, "first"), recordOf(8, place.slug)];
  });

  test("keeps its record if it is done before the name's turn comes", async () => {
    const { db, engine } = world;
    whileLookingAt("first", async () => {
      const operationId = await moveBack();
      db.update(operations).set({ state: "done" }).where(eq(operations.id, operationId)).run();
      db.update(instances)
        .set({ status: "running", ...place })
        .where(eq(instances.id, instanceId))
        .run();
      db.delete(aliases).where(eq(aliases.id, "b")).run();
    });
    await runMaintenance(engine);
    expect(removed).toEqual(["record 7"]);
  });

  test("keeps its record and its name if it begins while the record is looked up", async () => {
    world.db.delete(aliases).where(eq(aliases.id, "a")).run();
    whileLookingAt(place.slug, moveBack);
    await runMaintenance(world.engine);
    expect(removed).toEqual([]);
    expect(aliasNames()).toEqual(["over next"]);
  });

  test("keeps its name if it begins while the record is removed", async () => {
    world.db.delete(aliases).where(eq(aliases.id, "a")).run();
    const { digitalocean } = world.engine.providers;
    const { removeRecord } = digitalocean;
    digitalocean.removeRecord = async (...given) => {
      await moveBack();
      return removeRecord(...given);
    };
    await runMaintenance(world.engine);
    expect(aliasNames()).toEqual(["over next"]);
  });
});

test("a move that failed gives its name back once it can't be taken up any more", async () => {
  const { db, clock, engine } = world;
  const instanceId = insertInstance(db, ran);
  const alias = { instanceId, domain: "intranet.localhost", role: "next" as const };
  db.insert(aliases)
    .values([
      { ...alias, id: "a", slug: "wanted" },
      { ...alias, id: "b", slug: "led-here", expiresAt: clock.now + day },
    ])
    .run();
  records = [recordOf(7, "wanted"), recordOf(8, "led-here")];
  const failed = begin(engine, instanceId, registry["change-address"]);
  db.update(operations).set({ state: "failed" }).where(eq(operations.id, failed)).run();
  await runMaintenance(engine);
  expect(aliasNames()).toEqual(["wanted next", "led-here next"]);
  const later = begin(engine, instanceId, registry.restart);
  db.update(operations).set({ state: "done" }).where(eq(operations.id, later)).run();
  await runMaintenance(engine);
  expect(aliasNames()).toEqual(["led-here redirect"]);
  expect(removed).toEqual(["record 7"]);
});

test("a droplet is called gone after two looks, and only of our own team", async () => {
  const { db, clock, engine } = world;
  const id = insertInstance(db, { ...ran, accountId: "our-team" });
  const others = insertInstance(db, { ...ran, dropletId: 2, accountId: "another-team" });
  await runMaintenance(engine);
  expect(rowOf(id).dropletGoneAt).toBeNull();
  clock.now += 60_000;
  await runMaintenance(engine);
  expect(rowOf(id).dropletGoneAt).toBe(clock.now);
  expect(rowOf(others).dropletGoneAt).toBeNull();
  listed = [only<Droplet>("droplet", { id: 1 })];
  await runMaintenance(engine);
  expect(rowOf(id)).toMatchObject({ dropletGoneAt: null, dropletMissingSince: null });
});

test("a droplet that the list lacks isn't gone while it's found by its id", async () => {
  const { clock, engine } = world;
  const id = insertInstance(world.db, { ...ran, accountId: "our-team" });
  engine.providers.digitalocean.getDroplet = async (dropletId): Promise<Droplet> => ({
    ...{
      id: dropletId,
      name: "acme",
      status: "active",
      address: ran.ipAddress,
      regionSlug: "fra1",
      tags: [],
    },
    ...{ sizeSlug: "s-1vcpu-2gb", priceMonthlyCents: 1200, snapshotIds: [] },
    createdAt: new Date(clock.now).toISOString(),
  });
  for (let look = 0; look < 3; look += 1) {
    await runMaintenance(engine);
    clock.now += 60_000;
  }
  expect(rowOf(id)).toMatchObject({ dropletGoneAt: null, dropletMissingSince: null });
  engine.providers.digitalocean.getDroplet = async () => undefined;
  await runMaintenance(engine);
  expect(rowOf(id).dropletMissingSince).toBe(clock.now);
});

test("whether its droplet is gone is left to the operation that an instance has", async () => {
  const { clock, db, engine } = world;
  const id = insertInstance(db, { ...ran, accountId: "our-team" });
  const operationId = begin(engine, id, registry["repair-drift"]);
  await runMaintenance(engine);
  expect(rowOf(id)).toMatchObject({ status: "running", dropletMissingSince: null });
  db.update(operations).set({ state: "done" }).where(eq(operations.id, operationId)).run();
  await runMaintenance(engine);
  expect(rowOf(id).dropletMissingSince).toBe(clock.now);
});

test("which team a droplet belongs to is noted once it is seen", async () => {
  const id = insertInstance(world.db, ran);
  listed = [only<Droplet>("droplet", { id: 1 })];
  await runMaintenance(world.engine);
  expect(rowOf(id).accountId).toBe("our-team");
});

test("a snapshot that is known late does not take the place of the next Destroy's", async () => {
  const { db, clock, engine } = world;
  const instanceId = insertInstance(db, ran);
  const givenUp = begin(engine, instanceId, registry.destroy);
  db.update(operations).set({ state: "failed" }).where(eq(operations.id, givenUp)).run();
  db.update(steps)
    .set({ state: "failed", startedMonotonic: clock.now })
    .where(and(eq(steps.operationId, givenUp), eq(steps.name, "snapshot")))
    .run();
  const next = begin(engine, instanceId, registry.destroy);
  db.update(operations).set({ state: "done" }).where(eq(operations.id, next)).run();
  addSnapshot(8, instanceId, true);
  db.update(snapshots).set({ operationId: next, sequence: 1 }).where(eq(snapshots.id, 8)).run();
  db.update(instances)
    .set({ status: "destroyed", destroyedAt: clock.now, dropletId: null, snapshotId: 8 })
    .where(eq(instances.id, instanceId))
    .run();
  snapshotsThere = [{ id: 7, name: `acme-final-${givenUp}`, sizeGb: 2 }];
  await runMaintenance(engine);
  await runMaintenance(engine);
  expect(removed).toEqual(["snapshot 7"]);
  expect(rowOf(instanceId).snapshotId).toBe(8);
});

test("a snapshot that was complete only after Destroy had given it up is known", async () => {
  const { db, clock, engine } = world;
  const instanceId = insertInstance(db, ran);
  const operationId = begin(engine, instanceId, registry.destroy);
  db.update(operations).set({ state: "failed" }).where(eq(operations.id, operationId)).run();
  db.update(steps)
    .set({ state: "failed", startedMonotonic: clock.now })
    .where(and(eq(steps.operationId, operationId), eq(steps.name, "snapshot")))
    .run();
  snapshotsThere = [
    { id: 7, name: `acme-final-${operationId}`, sizeGb: 2 },
    { id: 8, name: "somebody-else's", sizeGb: 2 },
  ];
  await runMaintenance(engine);
  expect(db.select().from(snapshots).all()).toMatchObject([{ id: 7, instanceId, operationId }]);
  // The droplet vanishes before it is destroyed: this snapshot is all there is.
  expect(rowOf(instanceId)).toMatchObject({ snapshotId: 7, snapshotAt: clock.now });
  db.update(instances)
    .set({ status: "destroyed", destroyedAt: clock.now, dropletId: null })
    .where(eq(instances.id, instanceId))
    .run();
  const web = { ...engine, digitalocean: engine.providers.digitalocean, env: { baseDomains: [] } };
  const back = await bringBack(web, { instanceId }, "joe");
  expect(operationOf(db, back).facts).toMatchObject({ imageId: 7 });
});

test("what is kept of a destroyed instance is removed when its time is over", async () => {
  insertInstance(world.db, {
    status: "destroyed",
    destroyedAt: 1,
    keptUntil: world.clock.now - 1,
    snapshotId: 7,
  });
  insertInstance(world.db, {
    slug: "later",
    status: "destroyed",
    destroyedAt: 1,
    keptUntil: world.clock.now + day,
    snapshotId: 8,
  });
  await runMaintenance(world.engine);
  expect(begun()).toEqual([{ kind: "purge", who: "Spawner" }]);
});

/** An instance whose retention is over, with one backup. */
async function expired() {
  const over = { destroyedAt: 1, keptUntil: world.clock.now - 1, snapshotId: 7 };
  const instanceId = insertInstance(world.db, { status: "destroyed", ...over });
  addSnapshot(7, instanceId, true);
  return { instanceId, backupId: await addBackup(instanceId, 5) };
}
const purges = () => world.db.select().from(operations).where(eq(operations.kind, "purge")).all();

test.each(["running", "failed"] as const)(
  "nothing is removed while a restore from it is %s",
  async (state) => {
    const { backupId } = await expired();
    const other = insertInstance(world.db, { slug: "copy", status: "spawning" });
    ended(other, "restore-as-new", state, sourceOf(backupId));
    await runMaintenance(world.engine);
    expect(purges()).toEqual([]);
    world.db.update(operations).set({ state: "cancelled" }).run();
    await runMaintenance(world.engine);
    expect(purges()).toHaveLength(1);
  },
);

test("a failed test restore keeps nothing of an instance that was destroyed since", async () => {
  const { instanceId, backupId } = await expired();
  ended(instanceId, "test-restore", "failed", { ...sourceOf(backupId), throwaway: true });
  await runMaintenance(world.engine);
  expect(purges()).toHaveLength(1);
});

test("a restore that begins while the rest is removed keeps its source", async () => {
  const { instanceId, backupId } = await expired();
  await runMaintenance(world.engine);
  const other = insertInstance(world.db, { slug: "copy", status: "spawning" });
  ended(other, "restore-as-new", "running", sourceOf(backupId));
  const operationId = purges()[0]?.id ?? "";
  await runToEnd(world.engine, operationId, (until) => {
    world.clock.now = Math.max(world.clock.now, until);
  });
  expect(operationOf(world.db, operationId).failure?.userMessage).toContain("is in use");
  expect(kept()).toEqual([backupId]);
  expect(rowOf(instanceId).purgedAt).toBeNull();
});

test.each(["cancelled", "failed"] as const)("a removal that was %s is not begun each minute", async (how) => {
  const { instanceId, backupId } = await expired();
  world.engine.providers.backups.remove = async () => {
    if (how === "cancelled") cancelOperation(world.engine, operationId, "joe");
    throw new Error("locked");
  };
  await runMaintenance(world.engine);
  const operationId = purges()[0]?.id ?? "";
  await runToEnd(world.engine, operationId, (until) => {
    world.clock.now = Math.max(world.clock.now, until);
  });
  expect(operationOf(world.db, operationId).state).toBe(how);
  expect(rowOf(instanceId).keptUntil).toBeGreaterThan(world.clock.now + 0.9 * day);
  await runMaintenance(world.engine);
  expect(purges()).toHaveLength(1);
  expect(kept()).toEqual([backupId]);
});

test("an old backup is warned of once", async () => {
  insertUser(world.db);
  const plan = { ...noBackupPlan, every: "day" as const, setAt: 1 };
  const id = insertInstance(world.db, { ...ran, backupPlan: plan, nextBackupAt: world.clock.now + day });
  await addBackup(id, 3);
  await runMaintenance(world.engine);
  await runMaintenance(world.engine);
  expect(world.db.select().from(mail).all()).toMatchObject([{ kind: "stale", instanceId: id }]);
  await addBackup(id, 0);
  await runMaintenance(world.engine);
  expect(world.db.select().from(mail).all()).toHaveLength(1);
});

test("a playbook's run is needed for as long as its operation lives", async () => {
  const [live, cancelling, failed] = [1, 2, 3].map(() =>
    begin(world.engine, insertInstance(world.db), registry.spawn),
  );
  const setState = (id: string | undefined, state: "cancelling" | "failed") =>
    world.db
      .update(operations)
      .set({ state })
      .where(eq(operations.id, id ?? ""))
      .run();
  setState(cancelling, "cancelling");
  setState(failed, "failed");
  await runMaintenance(world.engine);
  const keys = [live, cancelling, failed, "unknown"].map((id) => `${id}-provisioned-0-0`);
  expect(keys.map((key) => isRunNeeded(key))).toEqual([true, true, false, false]);
});

test("the backup store is tidied once an hour, of uploads that are ours", async () => {
  const tidied: boolean[] = [];
  const store = world.engine.providers.backups;
  const id = await addBackup(insertInstance(world.db), 0);
  store.tidy = async (isOurs) => void tidied.push(isOurs(`${id}.tar.gz`), isOurs("somebody-elses.tar.gz"));
  await runMaintenance(world.engine);
  await runMaintenance(world.engine);
  expect(tidied).toEqual([true, false]);
  world.clock.now += day / 24;
  await runMaintenance(world.engine);
  expect(tidied).toHaveLength(4);
});

describe("a run", () => {
  let timers: ReturnType<typeof testTimers>;
  /** What the store was asked to remove, and has not answered about. */
  let asked: { key: string; signal: AbortSignal | undefined }[];
  let isListening: boolean;

  beforeEach(async () => {
    timers = testTimers(world.clock);
    world.engine.after = timers.after;
    asked = [];
    isListening = true;
    const instanceId = insertInstance(world.db, ran);
    await addBackup(instanceId, 0);
    await addBackup(instanceId, 400);
    // What a later chore has to do.
    insertInstance(world.db, { status: "destroyed", destroyedAt: 1, keptUntil: world.clock.now - 1 });
    world.engine.providers = {
      ...world.engine.providers,
      backups: only<BackupStore>("backups", {
        tidy: async () => {},
        remove: (key, signal) =>
          new Promise((_, reject) => {
            asked.push({ key, signal });
            if (isListening) signal?.addEventListener("abort", () => reject(signal.reason));
          }),
      }),
    };
  });

  test("is not held up for ever by a store that accepts and stays silent", async () => {
    const run = runMaintenance(world.engine);
    await timers.pass(3 * 60_000);
    await run;
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true]);
    expect(begun()).toEqual([{ kind: "purge", who: "Spawner" }]);
    // The next one asks again.
    const next = runMaintenance(world.engine);
    await timers.pass(3 * 60_000);
    await next;
    expect(asked).toHaveLength(2);
  });

  test("gives up on an item that hears nothing, and goes on to the other chores", async () => {
    isListening = false;
    const run = runMaintenance(world.engine);
    await timers.pass(60_000);
    await run;
    expect(asked).toHaveLength(1);
    expect(begun()).toEqual([{ kind: "purge", who: "Spawner" }]);
  });

  test("does not begin a chore again while an earlier one hangs that hears nothing", async () => {
    let looks = 0;
    world.engine.providers.digitalocean.listDroplets = () => {
      looks += 1;
      return new Promise(() => {});
    };
    for (let minute = 0; minute < 3; minute += 1) {
      const run = runMaintenance(world.engine);
      await timers.pass(3 * 60_000);
      await run;
    }
    expect(looks).toBe(1);
    expect(begun()).toEqual([{ kind: "purge", who: "Spawner" }]);
  });

  test("is the only one, whichever worker begins it", async () => {
    const first = runMaintenance(world.engine);
    await timers.pass(20_000);
    await runMaintenance({ ...world.engine });
    expect(asked).toHaveLength(1);
    await timers.pass(3 * 60_000);
    await first;
  });

  test("comes after the lease of one whose process died", async () => {
    const dead = { ...world.engine, after: () => () => {} };
    void runMaintenance(dead);
    await timers.pass(30_000);
    await runMaintenance(world.engine);
    expect(asked).toHaveLength(1);
    await timers.pass(31_000);
    void runMaintenance(world.engine);
    await timers.pass(0);
    expect(asked).toHaveLength(2);
  });

  test("ends when it slept so long that another one has begun", async () => {
    const sleeper = testTimers(world.clock);
    const slept = runMaintenance({ ...world.engine, after: sleeper.after });
    await timers.pass(61_000);
    const successor = runMaintenance(world.engine);
    await timers.pass(0);
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([false, false]);
    await sleeper.pass(0);
    await slept;
    expect(asked.map(({ signal }) => signal?.aborted)).toEqual([true, false]);
    expect(begun()).toEqual([]);
    await timers.pass(3 * 60_000);
    await successor;
  });
});

test("after a reboot with the wall clock behind, nothing that a long-lived worker wrote is in the future", async () => {
  const { db, engine, clock } = world;
  createClock(db);
  // The worker runs for days.
  clock.now = Date.now() + 10 * day;
  await runMaintenance(engine);
  const { value } = db.select().from(settings).where(eq(settings.name, anchorName)).get() ?? {};
  const anchor = { ...anchorSchema.parse(JSON.parse(value ?? "")), boot: "an earlier one" };
  db.update(settings)
    .set({ value: JSON.stringify(anchor) })
    .where(eq(settings.name, anchorName))
    .run();
  expect(createClock(db).monotonic()).toBeGreaterThan(clock.now);
});

test("a record that cannot be removed does not keep the others", async () => {
  const instanceId = insertInstance(world.db, ran);
  const expired = { instanceId, domain: "intranet.localhost", role: "redirect" as const, expiresAt: 1 };
  world.db
    .insert(aliases)
    .values(["a", "b", "c"].map((slug) => ({ ...expired, id: slug, slug })))
    .run();
  const { findRecords } = world.engine.providers.digitalocean;
  world.engine.providers.digitalocean.findRecords = async (domain, name) => {
    if (name === "a") throw new Error("It is locked.");
    return findRecords(domain, name);
  };
  await runMaintenance(world.engine);
  expect(
    world.db
      .select()
      .from(aliases)
      .all()
      .map((row) => row.slug),
  ).toEqual(["a"]);
});

test("a plan that cannot be read does not keep the other backups from their turn", async () => {
  const due = { ...ran, nextBackupAt: world.clock.now - 1000 };
  const plan = { ...noBackupPlan, every: "day" as const };
  insertInstance(world.db, { ...due, backupPlan: { ...plan, timeZone: "Mars/Olympus" } });
  const id = insertInstance(world.db, { ...due, backupPlan: plan });
  await runMaintenance(world.engine);
  expect(world.db.select().from(operations).all()).toMatchObject([{ kind: "backup", instanceId: id }]);
});
