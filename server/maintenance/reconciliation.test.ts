import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { drift, instances, mail, operations, snapshots } from "#db/schema.ts";
import { resolveDrift } from "#server/drift/commands.ts";
import { driftCheck, driftViews } from "#server/drift/queries.ts";
import { instancesPerPage } from "#server/instances/instancePages.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { registry } from "#server/operations/registry.ts";
import { instanceTag, operationTag, restoreTestTag } from "#server/operations/steps/droplet.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  insertUser,
  only,
} from "#server/operations/testing/testEngine.ts";
import type { DigitalOcean, Droplet } from "#server/providers/digitalocean/digitalocean.ts";
import type { ARecord, Snapshot } from "#server/providers/digitalocean/inventory.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { warnOfOrphans } from "./orphanWarnings.ts";
import { reconcile } from "./reconciliation.ts";

const minute = 60_000;
const joe = "joe@intranet.localhost";
let world: ReturnType<typeof createTestEngine>;
let cloud: {
  account: string;
  listed: Droplet[];
  unlisted: Droplet[];
  snapshots: Snapshot[];
  records: ARecord[] | undefined;
  keys: string[];
};
let asked: string[];

beforeEach(() => {
  asked = [];
  cloud = {
    ...{ account: "ours", listed: [], unlisted: [], snapshots: [], records: [] },
    keys: ["ssh-ed25519 AAAA"],
  };
  const answer = <Answer>(what: string, of: () => Answer) => {
    asked.push(what);
    return of();
  };
  world = createTestEngine({
    providers: only<Providers>("providers", {
      digitalocean: only<DigitalOcean>("digitalocean", {
        account: async () =>
          answer("account", () => ({
            ...{ id: cloud.account, email: "joe@example.org", status: "active", dropletLimit: 25 },
          })),
        listDroplets: async () => answer("droplets", () => cloud.listed),
        getDroplet: async (id) =>
          answer(`droplet ${id}`, () => [...cloud.listed, ...cloud.unlisted].find((one) => one.id === id)),
        listSnapshots: async () => answer("snapshots", () => cloud.snapshots),
        listARecords: async (domain) => answer(`records of ${domain}`, () => cloud.records),
        listSshKeys: async () => answer("keys", () => cloud.keys),
      }),
    }),
  });
});
afterEach(() => world.close());

const address = (id: number) => `203.0.113.${id}`;
const droplet = (id: number, tags: string[]): Droplet => ({
  ...{ id, name: `droplet-${id}`, status: "active", address: address(id), snapshotIds: [] },
  ...{ sizeSlug: "s-1vcpu-2gb", priceMonthlyCents: 1200, regionSlug: "fra1" },
  createdAt: new Date(world.clock.now - 30 * minute).toISOString(),
  tags: ["spawner", ...tags],
});

/** An instance that has run for long, as DigitalOcean has it as well. */
function standing(id: number, slug = `acme-${id}`): { instanceId: string; spawned: string } {
  const instanceId = insertInstance(world.db, { dropletId: id, ipAddress: address(id), slug });
  const spawned = begin(world.engine, instanceId, registry.spawn);
  world.db
    .update(operations)
    .set({ state: "done", endedAt: 1, facts: { dropletId: id, address: address(id) } })
    .where(eq(operations.id, spawned))
    .run();
  cloud.listed.push(droplet(id, [instanceTag(instanceId), operationTag(spawned)]));
  cloud.records?.push({ id: 1000 + id, name: slug, data: address(id) });
  world.db.update(instances).set({ status: "running" }).where(eq(instances.id, instanceId)).run();
  return { instanceId, spawned };
}
async function round(minutesLater = 2): Promise<void> {
  world.clock.now += minutesLater * minute;
  await reconcile(world.engine);
}
const keys = () =>
  world.db
    .select()
    .from(drift)
    .all()
    .map((row) => row.key);
const shown = () => driftViews(world.db).map((view) => view.key);

test("a round makes four list calls and one for the account, whatever the size of the fleet", async () => {
  for (let id = 1; id <= 50; id += 1) standing(id);
  await round();
  expect(asked).toEqual(["account", "droplets", "snapshots", "records of intranet.localhost", "keys"]);
  expect(keys()).toEqual([]);
  expect(driftCheck(world.db)).toEqual({ checkedAt: world.clock.now, failure: null });
});

test("a round sees the instances of every page", async () => {
  world.db.run("pragma synchronous = OFF");
  for (let id = 1; id <= instancesPerPage + 1; id += 1) standing(id);
  cloud.listed = cloud.listed.map((one) => ({ ...one, sizeSlug: "s-2vcpu-4gb" }));
  cloud.records = [];
  await round();
  const ids = Array.from({ length: instancesPerPage + 1 }, (_, index) => index + 1);
  expect(keys().sort()).toEqual(
    ids.flatMap((id) => [`changed-size ${id}`, `missing-record acme-${id}.intranet.localhost`]).sort(),
  );
});

test("what changes while a round reads and compares is left to the next one", async () => {
  const { instanceId } = standing(1);
  standing(2);
  cloud.listed = cloud.listed.map((one) => ({ ...one, sizeSlug: "s-2vcpu-4gb" }));
  let hasChanged = false;
  world.engine.wait = async () => {
    if (hasChanged) return;
    hasChanged = true;
    const restart = begin(world.engine, instanceId, registry.restart);
    world.db.update(operations).set({ state: "done" }).where(eq(operations.id, restart)).run();
  };
  await round();
  expect(keys()).toEqual(["changed-size 2"]);
  await round();
  expect(keys().sort()).toEqual(["changed-size 1", "changed-size 2"]);

  // Earlier findings aren't taken for resolved either.
  cloud.listed = cloud.listed.map((one) => ({ ...one, sizeSlug: "s-1vcpu-2gb" }));
  hasChanged = false;
  await round();
  expect(keys()).toEqual(["changed-size 1"]);
  await round();
  expect(keys()).toEqual([]);
});

test("a round comes every two minutes", async () => {
  await round();
  await round(1);
  expect(asked.filter((what) => what === "account")).toHaveLength(1);
  await round(1);
  expect(asked.filter((what) => what === "account")).toHaveLength(2);
});

test("an orphan is shown once two rounds have seen it, keeps its age, and goes when it is gone", async () => {
  const { spawned } = standing(1);
  cloud.listed.push(droplet(2, [operationTag(spawned)]));
  await round();
  const foundAt = world.clock.now;
  expect(keys()).toEqual(["orphaned-droplet 2"]);
  expect(shown()).toEqual([]);
  await round();
  expect(driftViews(world.db)).toMatchObject([
    { key: "orphaned-droplet 2", monthlyCents: 1200, foundAt, actions: ["delete"], refusal: null },
  ]);
  cloud.listed.pop();
  await round();
  expect(keys()).toEqual([]);
});

test("nothing younger than the window is written down", async () => {
  const { spawned } = standing(1);
  const young = droplet(2, [operationTag(spawned)]);
  cloud.listed.push({ ...young, createdAt: new Date(world.clock.now - 7 * minute).toISOString() });
  await round();
  expect(keys()).toEqual([]);
  await round();
  expect(keys()).toEqual(["orphaned-droplet 2"]);
});

test("a live operation wins: what was found before stays as it is until it has ended", async () => {
  const { instanceId, spawned } = standing(1);
  cloud.listed.push(droplet(2, [operationTag(spawned)]));
  await round();
  await round();
  const backup = begin(world.engine, instanceId, registry.backup);
  cloud.listed.push(droplet(3, [operationTag(spawned)]));
  cloud.listed = cloud.listed.filter(({ id }) => id !== 2);
  await round();
  expect(driftViews(world.db)).toMatchObject([
    { key: "orphaned-droplet 2", refusal: "Available once “Back up” has finished." },
  ]);
  expect(() => resolveDrift(world.engine, { key: "orphaned-droplet 2", action: "delete" }, joe)).toThrow(
    "Available once “Back up” has finished.",
  );
  const endedAt = world.clock.now;
  world.db.update(operations).set({ state: "done", endedAt }).where(eq(operations.id, backup)).run();
  await round();
  expect(keys()).toEqual([]);
  await round(10);
  expect(keys()).toEqual(["orphaned-droplet 3"]);
});

test("a droplet that the list lacks is asked for by its id", async () => {
  standing(1);
  const [listed] = cloud.listed;
  if (listed === undefined) throw new Error("no droplet");
  cloud.unlisted = [{ ...listed, tags: listed.tags.slice(1) }];
  cloud.listed = [];
  await round();
  expect(keys()).toEqual(["changed-tags 1"]);
  cloud.unlisted = [];
  await round();
  expect(keys()).toEqual(["missing-droplet 1"]);
});

test("of many that the list lacks, twenty are asked for in a round, and the others in the next", async () => {
  for (let id = 1; id <= 30; id += 1) standing(id);
  cloud.listed = [];
  await round();
  expect(keys()).toHaveLength(20);
  await round();
  expect(keys()).toHaveLength(30);
  expect(asked.filter((what) => what.startsWith("droplet "))).toHaveLength(40);
});

test("with the token of another account nothing is judged, and it is said", async () => {
  const { spawned } = standing(1);
  cloud.listed.push(droplet(2, [operationTag(spawned)]));
  await round();
  await round();
  cloud = { ...cloud, account: "another", listed: [], records: undefined, keys: [] };
  await round();
  expect(shown()).toEqual(["orphaned-droplet 2"]);
  const { checkedAt, failure } = driftCheck(world.db);
  expect(checkedAt).toBe(world.clock.now - 2 * minute);
  expect(failure?.userMessage).toContain("another DigitalOcean account (joe@example.org)");
});

test("an account that has nothing of ours is not taken for ours", async () => {
  standing(1);
  const { listed } = cloud;
  cloud = { ...cloud, account: "another", listed: [] };
  await round();
  cloud = { ...cloud, account: "ours", listed };
  await round();
  expect(driftCheck(world.db).failure).toBeNull();
  cloud = { ...cloud, account: "another", listed: [] };
  await round();
  expect(driftCheck(world.db).failure).not.toBeNull();
});

test("a known orphan is not forgotten with another account's token", async () => {
  standing(1);
  await round();
  world.db.update(instances).set({ dropletId: null, status: "destroyed", destroyedAt: 1 }).run();
  await round();
  expect(keys()).toContain("orphaned-droplet 1");
  cloud = { ...cloud, account: "another", listed: [] };
  await round();
  expect(keys()).toContain("orphaned-droplet 1");
  expect(driftCheck(world.db).failure).not.toBeNull();
});

test("what was brought back in another team is compared there, and what is left in the one before is not forgotten", async () => {
  const { instanceId, spawned } = standing(1);
  const stays = standing(3).instanceId;
  world.db.update(instances).set({ accountId: "ours" }).run();
  world.db
    .insert(snapshots)
    .values({ id: 7, instanceId, operationId: spawned, name: "s", sizeGb: 1, takenAt: 1, accountId: "ours" })
    .run();
  cloud.snapshots = [{ id: 7, name: "s", sizeGb: 1, createdAt: 1 }];
  cloud.listed.push(droplet(2, [operationTag(spawned)]));
  await round();
  const there = cloud;
  const moved = { accountId: "another", dropletId: 4, ipAddress: address(4) };
  world.db.update(instances).set(moved).where(eq(instances.id, instanceId)).run();
  cloud = { ...cloud, account: "another", snapshots: [] };
  cloud.listed = [droplet(4, [instanceTag(instanceId)]), droplet(5, [operationTag(spawned)])];
  cloud.records = [{ id: 1001, name: "acme-1", data: address(4) }];
  await round();
  await round();
  expect(driftCheck(world.db).failure).toBeNull();
  expect(shown().sort()).toEqual(["orphaned-droplet 2", "orphaned-droplet 5"]);
  // Each is put right in the team where it was found.
  const { operationId } = resolveDrift(
    { ...world.engine, wake: () => {} },
    { key: "orphaned-droplet 2", action: "delete" },
    joe,
  );
  const facts = world.db.select().from(operations).where(eq(operations.id, operationId)).get()?.facts;
  expect(facts).toMatchObject({ account: "ours" });
  world.db.update(operations).set({ state: "failed" }).where(eq(operations.id, operationId)).run();
  expect(world.db.select().from(instances).where(eq(instances.id, stays)).get()).toMatchObject({
    status: "running",
  });
  // With the first team's token again its own is compared there.
  cloud = { ...there, listed: there.listed.filter(({ id }) => id === 3) };
  await round();
  expect(keys()).toEqual(["orphaned-droplet 5"]);
});

test("while nothing is bought any account will do", async () => {
  for (const account of ["first", "second"]) {
    cloud = { ...cloud, account };
    await round();
    expect(driftCheck(world.db).failure).toBeNull();
  }
  // What was bought with it makes an account ours; once all of that is gone, another may take its place.
  const { instanceId, spawned } = standing(1);
  await round();
  world.db.update(instances).set({ dropletId: null }).run();
  const removed = { ...{ id: 7, name: "s", sizeGb: 1, takenAt: 1, removedAt: 2 }, accountId: "second" };
  world.db
    .insert(snapshots)
    .values({ ...removed, instanceId, operationId: spawned })
    .run();
  cloud = { ...cloud, account: "third", listed: [] };
  await round();
  expect(driftCheck(world.db).failure).toBeNull();
});

test("a round that fails says why, and leaves what was found", async () => {
  const { spawned } = standing(1);
  cloud.listed.push(droplet(2, [operationTag(spawned)]));
  await round();
  const { checkedAt } = driftCheck(world.db);
  const { listSnapshots } = world.engine.providers.digitalocean;
  world.engine.providers.digitalocean.listSnapshots = async () => {
    throw new ProviderError({ userMessage: "DigitalOcean is away.", detail: "503", retryable: true });
  };
  await expect(round()).rejects.toThrow("DigitalOcean is away.");
  expect(keys()).toEqual(["orphaned-droplet 2"]);
  expect(driftCheck(world.db)).toEqual({
    checkedAt,
    failure: { at: world.clock.now, userMessage: "DigitalOcean is away." },
  });
  world.engine.providers.digitalocean.listSnapshots = listSnapshots;
  await round();
  expect(driftCheck(world.db)).toEqual({ checkedAt: world.clock.now, failure: null });
});

/** An operation of the instance that has just ended. */
function justEnded(instanceId: string, kind: "backup" | "delete-orphan"): void {
  const id = begin(world.engine, instanceId, registry[kind]);
  const over = { state: "done" as const, endedAt: world.clock.now };
  world.db.update(operations).set(over).where(eq(operations.id, id)).run();
}

test("what is known already is kept up to date, also right after an operation", async () => {
  const { instanceId } = standing(1);
  const resized = (sizeSlug: string) => {
    cloud.listed = cloud.listed.map((one) => ({ ...one, sizeSlug }));
  };
  resized("s-2vcpu-4gb");
  await round();
  resized("s-4vcpu-8gb");
  justEnded(instanceId, "backup");
  await round();
  expect(world.db.select().from(drift).all()).toMatchObject([{ finding: { actual: "s-4vcpu-8gb" } }]);
});

test("an operation that puts something right isn't a change that others wait for", async () => {
  const { instanceId } = standing(1);
  cloud.listed = cloud.listed.map((one) => ({ ...one, sizeSlug: "s-2vcpu-4gb" }));
  justEnded(instanceId, "delete-orphan");
  await round();
  expect(keys()).toEqual(["changed-size 1"]);
});

describe("a record that was left behind belongs to", () => {
  const gone = { slug: "old", status: "destroyed", destroyedAt: 1 } as const;
  const place = (slug: string) => ({ slug, domain: "intranet.localhost" });
  function moved(instanceId: string, from: string): void {
    const id = begin(world.engine, instanceId, registry["change-address"], {
      ...{ previous: place(from), next: place("new"), address: address(9) },
    });
    const over = { state: "done", endedAt: 1 } as const;
    world.db.update(operations).set(over).where(eq(operations.id, id)).run();
    world.db.update(instances).set({ status: "running" }).where(eq(instances.id, instanceId)).run();
  }
  async function ownerOfOld(): Promise<string | undefined> {
    cloud.records = [{ id: 9, name: "old", data: address(9) }];
    await round();
    const found = world.db.select().from(drift).where(eq(drift.key, "orphaned-record 9")).get();
    return found?.instanceId;
  }

  test("the newest instance of its name", async () => {
    const ids = ["b", "a", "c"].map((id, createdAt) => {
      insertInstance(world.db, { ...gone, id, createdAt });
      return id;
    });
    moved(insertInstance(world.db, { slug: "new" }), "elsewhere");
    expect(await ownerOfOld()).toBe(ids.at(-1));
  });

  test("the last that moved away from its name", async () => {
    const ids = ["new", "newer"].map((slug) => insertInstance(world.db, { slug }));
    for (const id of ids) moved(id, "old");
    expect(await ownerOfOld()).toBe(ids.at(-1));
  });

  test("the instance that had its name to the end, not to one that moved away from it", async () => {
    const id = insertInstance(world.db, gone);
    moved(insertInstance(world.db, { slug: "new" }), "old");
    expect(await ownerOfOld()).toBe(id);
  });
});

test("one mail for each orphan that has cost money for more than an hour", async () => {
  insertUser(world.db, joe);
  const { instanceId, spawned } = standing(1);
  cloud.listed.push(droplet(2, [operationTag(spawned)]));
  cloud.records?.push(
    { id: 13, name: "acme-1", data: address(1) },
    { id: 14, name: "acme-1", data: "203.0.113.2" },
  );
  await round();
  world.clock.now += 59 * minute;
  warnOfOrphans(world.engine);
  expect(world.db.select().from(mail).all()).toEqual([]);
  world.clock.now += minute;
  warnOfOrphans(world.engine);
  warnOfOrphans(world.engine);
  expect(world.db.select().from(mail).all()).toMatchObject([
    { kind: "drift", instanceId, round: 2, recipient: joe },
  ]);
});

test("a press begins one operation, however often it is pressed", async () => {
  const { instanceId, spawned } = standing(1, "acme");
  cloud.listed.push(droplet(2, [operationTag(spawned)]));
  await round();
  await round();
  const wish = { key: "orphaned-droplet 2", action: "delete" } as const;
  const first = resolveDrift(world.engine, wish, joe);
  expect(first).toMatchObject({ instanceId, slug: "acme" });
  expect(resolveDrift(world.engine, wish, joe)).toEqual(first);
  const operation = world.db.select().from(operations).where(eq(operations.id, first.operationId)).get();
  expect(operation).toMatchObject({
    kind: "delete-orphan",
    facts: { account: "ours", finding: { dropletId: 2, ownTag: operationTag(spawned) } },
  });
  expect(driftViews(world.db)).toMatchObject([{ operation: { id: first.operationId, state: "running" } }]);
  expect(() => resolveDrift(world.engine, { ...wish, action: "adopt" }, joe)).toThrow("no longer possible");
  expect(() => resolveDrift(world.engine, { ...wish, key: "orphaned-droplet 9" }, joe)).toThrow(
    "no longer on the list",
  );
});

test("a repair waits for a failed operation, whose Retry it would take away", async () => {
  const { instanceId } = standing(1);
  cloud.records = [];
  await round();
  await round();
  const [key = ""] = shown();
  expect(key).toContain("missing-record");
  const upgrade = begin(world.engine, instanceId, registry.upgrade);
  world.db.update(operations).set({ state: "failed", endedAt: 1 }).where(eq(operations.id, upgrade)).run();
  const refusal =
    "The last operation of Acme Bakery failed. Retry or cancel it first, or destroy the instance.";
  expect(() => resolveDrift(world.engine, { key, action: "repair" }, joe)).toThrow(refusal);
  expect(driftViews(world.db)).toMatchObject([{ actions: ["repair"], refusal }]);
});

test("a destroyed instance that adopts its droplet has its name back, unless somebody else has it", async () => {
  const { instanceId } = standing(1, "acme");
  const gone = {
    status: "destroyed" as const,
    dropletId: null,
    ipAddress: null,
    destroyedAt: 1,
    keptUntil: 9,
  };
  world.db.update(instances).set(gone).where(eq(instances.id, instanceId)).run();
  cloud.records = [];
  await round();
  await round();
  const wish = { key: "orphaned-droplet 1", action: "adopt" } as const;
  expect(driftViews(world.db)).toMatchObject([{ actions: ["adopt", "delete"] }]);
  const other = insertInstance(world.db, { slug: "acme" });
  expect(() => resolveDrift(world.engine, wish, joe)).toThrow("acme.intranet.localhost is taken");
  world.db.delete(instances).where(eq(instances.id, other)).run();
  const { operationId } = resolveDrift(world.engine, wish, joe);
  expect(world.db.select().from(instances).get()).toMatchObject({ status: "restoring", destroyedAt: null });
  expect(world.db.select().from(operations).where(eq(operations.id, operationId)).get()).toMatchObject({
    kind: "adopt-droplet",
    facts: { before: { status: "destroyed", destroyedAt: 1, keptUntil: 9, purgedAt: null } },
  });
});

test("a throwaway is shown once its failed test restore can no longer be retried", async () => {
  const { instanceId } = standing(1);
  const testRestore = begin(world.engine, instanceId, registry["test-restore"], {
    dropletId: 2,
    throwaway: true,
  });
  const end = (id: string, state: "failed" | "done") =>
    world.db.update(operations).set({ state, endedAt: 1 }).where(eq(operations.id, id)).run();
  end(testRestore, "failed");
  cloud.listed.push(droplet(2, [restoreTestTag(instanceId), operationTag(testRestore)]));
  await round();
  await round();
  expect(shown()).toEqual([]);
  end(begin(world.engine, instanceId, registry["delete-orphan"]), "done");
  await round();
  await round();
  expect(shown()).toEqual(["orphaned-droplet 2"]);
});

test("what was bought to restore a backup is not adopted: it may not hold the data yet", async () => {
  const { instanceId } = standing(1);
  cloud.listed = [];
  cloud.records = [];
  const source = { id: "b", key: "b.tar.gz", bytes: 1, sha256: "0", tree: "0", version: "2.14.0" };
  const end = (facts: Record<string, unknown>) => {
    const id = begin(world.engine, instanceId, registry["bring-back"], facts);
    world.db.update(operations).set({ state: "cancelled", endedAt: 1 }).where(eq(operations.id, id)).run();
    const gone = { status: "destroyed", destroyedAt: 1, dropletId: null, ipAddress: null } as const;
    world.db.update(instances).set(gone).where(eq(instances.id, instanceId)).run();
    return droplet(2, [instanceTag(instanceId), operationTag(id)]);
  };
  const adoptable = async () => {
    await round();
    await round();
    return driftViews(world.db).map(({ actions }) => actions);
  };
  cloud.listed = [end({ imageId: 7 })];
  expect(await adoptable()).toEqual([["adopt", "delete"]]);
  cloud.listed = [end({ source })];
  expect(await adoptable()).toEqual([["delete"]]);
});
