import { join } from "node:path";
import { Readable } from "node:stream";
import { and, eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  aliases,
  backups,
  dnsRecords,
  instances,
  mail,
  noBackupPlan,
  operations,
  snapshots,
  steps,
} from "../../db/schema.ts";
import { newId } from "../ids.ts";
import { catalogue } from "../operations/catalogue.ts";
import type { Providers } from "../operations/definition.ts";
import { begin, createTestEngine, insertInstance, only } from "../operations/testEngine.ts";
import { createFolderStore } from "../providers/backups/folderStore.ts";
import type { DigitalOcean, Droplet } from "../providers/digitalocean/digitalocean.ts";
import type { FoundRecord } from "../providers/digitalocean/dns.ts";
import { runMaintenance } from "./maintenance.ts";

const day = 86_400_000;
let world: ReturnType<typeof createTestEngine>;
let removed: string[];
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
    digitalocean: only<DigitalOcean>("digitalocean", {
      listDroplets: async () => [],
      listAllDroplets: async () => listed,
      listSnapshots: async () => snapshotsThere,
      account: async () => ({ id: "our-team", email: "e", status: "active", dropletLimit: 9 }),
      getDroplet: async (id) => listed.find((one) => one.id === id),
      deleteSnapshot: async (id) => void removed.push(`snapshot ${id}`),
      findRecords: async (domain, name) => records.filter((one) => one.name === name && domain !== ""),
      removeRecord: async (_domain, id) => {
        removed.push(`record ${id}`);
        return true;
      },
    }),
  });
});
afterEach(() => world.close());

const ran = { answeredAt: 1, hostKey: "ssh-ed25519 AAAA", address: "127.0.0.9", dropletId: 1 };
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

test("a proof that is due takes the newest good backup", async () => {
  const plan = { ...noBackupPlan, proveEvery: "week" as const, setAt: 1 };
  const id = insertInstance(world.db, { ...ran, backupPlan: plan, nextProofAt: world.clock.now });
  const backupId = await addBackup(id, 1);
  await runMaintenance(world.engine);
  const [operation] = world.db.select().from(operations).all();
  expect(operation).toMatchObject({ kind: "prove", mutating: false, facts: { source: { id: backupId } } });
  expect(rowOf(id)).toMatchObject({ status: "running", nextProofAt: world.clock.now + 7 * day });
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

test("each instance keeps its newest snapshot", async () => {
  const instanceId = insertInstance(world.db);
  for (const [id, takenAt] of [
    [1, 100],
    [2, 200],
  ] as const)
    world.db
      .insert(snapshots)
      .values({ id, instanceId, operationId: "", name: "s", sizeGb: 1, takenAt })
      .run();
  await runMaintenance(world.engine);
  expect(removed).toEqual(["snapshot 1"]);
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
  const failed = begin(engine, instanceId, catalogue["change-address"]);
  db.update(operations).set({ state: "failed" }).where(eq(operations.id, failed)).run();
  await runMaintenance(engine);
  expect(aliasNames()).toEqual(["wanted next", "led-here next"]);
  const later = begin(engine, instanceId, catalogue.backup);
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

test("which team a droplet belongs to is noted once it is seen", async () => {
  const id = insertInstance(world.db, ran);
  listed = [only<Droplet>("droplet", { id: 1 })];
  await runMaintenance(world.engine);
  expect(rowOf(id).accountId).toBe("our-team");
});

test("a snapshot that was complete only after Destroy had given it up is known", async () => {
  const { db, clock, engine } = world;
  const instanceId = insertInstance(db, ran);
  const operationId = begin(engine, instanceId, catalogue.destroy);
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

test("an old backup is warned of once", async () => {
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
