import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { drift, instances, snapshots } from "#db/schema.ts";
import { type Finding, keyOf } from "#server/drift/findings.ts";
import type { DigitalOcean, Droplet } from "#server/providers/digitalocean/digitalocean.ts";
import type { FoundRecord } from "#server/providers/digitalocean/dns.ts";
import { type Providers, StepFailure } from "./engine/define.ts";
import { registry } from "./registry.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  only,
  operationOf,
  runToEnd,
} from "./testing/testEngine.ts";

let world: ReturnType<typeof createTestEngine>;
let cloud: {
  account: string;
  droplets: Droplet[];
  snapshots: { id: number; name: string }[];
  records: FoundRecord[];
  /** How many looks at a droplet are answered by a 404, whether it is there or not. */
  hiddenFor: number;
};
let done: string[];

beforeEach(() => {
  done = [];
  cloud = { account: "ours", droplets: [], snapshots: [], records: [], hiddenFor: 0 };
  world = createTestEngine({
    providers: only<Providers>("providers", {
      scanHostKey: async ({ address }) => `key of ${address}`,
      digitalocean: only<DigitalOcean>("digitalocean", {
        for: () => world.engine.providers.digitalocean,
        account: async () => ({ id: cloud.account, email: "e", status: "active", dropletLimit: 1 }),
        getDroplet: async (id) => {
          const isHidden = cloud.hiddenFor > 0;
          if (isHidden) cloud.hiddenFor -= 1;
          return isHidden ? undefined : cloud.droplets.find((one) => one.id === id);
        },
        listAllDroplets: async () => cloud.droplets,
        destroyDroplet: async (id) => {
          done.push(`destroy droplet ${id}`);
          cloud.droplets = cloud.droplets.filter((one) => one.id !== id);
          return true;
        },
        findSnapshot: async (id) => {
          const found = cloud.snapshots.find((one) => one.id === id);
          return found === undefined ? undefined : { ...found, sizeGb: 10, createdAt: 500 };
        },
        deleteSnapshot: async (id) => done.push(`delete snapshot ${id}`) > 0,
        findRecords: async (_domain, name) => cloud.records.filter((one) => one.name === name),
        removeRecord: async (_domain, id) => {
          done.push(`remove record ${id}`);
          return true;
        },
        ensureDomain: async (domain) => void done.push(`domain ${domain}`),
        createARecord: async (_domain, name, address) => {
          done.push(`point ${name} at ${address}`);
          return { id: 1 };
        },
        tagDroplet: async (id, tag) => void done.push(`tag ${id} ${tag}`),
        forgetSshKeys: () => void done.push("forget keys"),
        ensureSshKey: async (name) => {
          done.push(`register ${name}`);
          return { id: 1, fingerprint: "f" };
        },
      }),
    }),
  });
});
afterEach(() => world.close());

const droplet = (over: Partial<Droplet> = {}): Droplet => ({
  ...{ id: 2, name: "orphan", status: "active", address: "203.0.113.2", snapshotIds: [] },
  ...{
    sizeSlug: "s-1vcpu-2gb",
    priceMonthlyCents: 1200,
    regionSlug: "fra1",
    createdAt: "2026-01-01T00:00:00Z",
  },
  tags: ["spawner", "spawner-op-o"],
  ...over,
});
const domain = "intranet.localhost";
const acme = { slug: "acme", domain, dropletId: 1, ipAddress: "203.0.113.1", hostKey: "key of 203.0.113.1" };
const rowOf = (id: string) => world.db.select().from(instances).where(eq(instances.id, id)).get();
const noted = () => world.db.select().from(drift).all();

/** Plays the operation for a finding that is on the page; answers how it ended. */
async function resolve(
  kind: "repair-drift" | "delete-orphan" | "adopt-snapshot" | "adopt-droplet",
  instanceId: string,
  finding: Finding,
  facts: Record<string, unknown> = {},
) {
  world.db
    .insert(drift)
    .values({ key: keyOf(finding), instanceId, finding, monthlyCents: 0, foundAt: 1, foundMonotonic: 1 })
    .run();
  const id = begin(world.engine, instanceId, registry[kind], { finding, account: "ours", ...facts });
  await runToEnd(world.engine, id, (until) => {
    world.clock.now = Math.max(world.clock.now, until);
  });
  const { state, failure } = operationOf(world.db, id);
  return { state, userMessage: failure?.userMessage };
}

const orphan: Finding = {
  ...{ type: "orphaned-droplet", dropletId: 2, name: "orphan", createdAt: 1 },
  ...{ ownTag: "spawner-op-o", isAdoptable: true },
};
const finalSnapshot: Finding = {
  ...{ type: "orphaned-snapshot", snapshotId: 71, name: "acme-final-o", sizeGb: 10, createdAt: 1 },
  ...{ operationId: "o", isAdoptable: true },
};

describe("delete", () => {
  test("an orphaned droplet goes, and its finding with it", async () => {
    cloud.droplets = [droplet()];
    const id = insertInstance(world.db, acme);
    expect(await resolve("delete-orphan", id, orphan)).toMatchObject({ state: "done" });
    expect(done).toEqual(["destroy droplet 2"]);
    expect(noted()).toEqual([]);
    expect(rowOf(id)).toMatchObject({ status: "running", dropletId: 1 });
  });
  test("one that is gone already is only taken off the page", async () => {
    expect(await resolve("delete-orphan", insertInstance(world.db), orphan)).toMatchObject({ state: "done" });
    expect(done).toEqual([]);
    expect(noted()).toEqual([]);
  });
  test("one 404 makes none of it go", async () => {
    cloud.droplets = [droplet()];
    cloud.hiddenFor = 1;
    expect(await resolve("delete-orphan", insertInstance(world.db), orphan)).toMatchObject({ state: "done" });
    expect(done).toEqual(["destroy droplet 2"]);
  });
  test("nor does one after its end was asked for: that is waited for", async () => {
    cloud.droplets = [droplet()];
    world.engine.providers.digitalocean.destroyDroplet = async (id) => {
      done.push(`destroy droplet ${id}`);
      cloud.hiddenFor = 1;
      return true;
    };
    expect(await resolve("delete-orphan", insertInstance(world.db), orphan)).toMatchObject({
      state: "failed",
      userMessage: expect.stringContaining("20 minutes"),
    });
    expect(noted()).toHaveLength(1);
  });
  test("one that has lost its tag is left alone", async () => {
    cloud.droplets = [droplet({ tags: ["spawner"] })];
    expect(await resolve("delete-orphan", insertInstance(world.db), orphan)).toMatchObject({
      state: "failed",
      userMessage: expect.stringContaining("tag"),
    });
    expect(done).toEqual([]);
    expect(noted()).toHaveLength(1);
  });
  test("one on which the instance runs by now is left alone", async () => {
    cloud.droplets = [droplet()];
    const id = insertInstance(world.db, { ...acme, dropletId: 2 });
    expect(await resolve("delete-orphan", id, orphan)).toMatchObject({ state: "failed" });
    expect(done).toEqual([]);
  });
  test("with another account's token nothing is touched, whatever the finding", async () => {
    cloud = {
      ...cloud,
      account: "another",
      droplets: [droplet()],
      snapshots: [{ id: 71, name: "acme-final-o" }],
    };
    const id = insertInstance(world.db, acme);
    const lost: Finding = { type: "missing-snapshot", snapshotId: 72, name: "s" };
    for (const [kind, one] of [
      ["delete-orphan", orphan],
      ["delete-orphan", finalSnapshot],
      ["repair-drift", lost],
      ["adopt-snapshot", { ...finalSnapshot, snapshotId: 71 }],
    ] as const) {
      world.db.delete(drift).run();
      expect(await resolve(kind, id, one)).toMatchObject({
        state: "failed",
        userMessage: expect.stringContaining("another DigitalOcean account"),
      });
    }
    expect(done).toEqual([]);
  });
  test("a droplet that DigitalOcean doesn't let go is given up, and Retry goes on", async () => {
    cloud.droplets = [droplet()];
    world.engine.providers.digitalocean.destroyDroplet = async () => {
      done.push("asked");
      return true;
    };
    expect(await resolve("delete-orphan", insertInstance(world.db), orphan)).toMatchObject({
      state: "failed",
      userMessage: expect.stringContaining("20 minutes"),
    });
    expect(done.length).toBeLessThan(130);
    expect(noted()).toHaveLength(1);
  });
  test("an orphaned snapshot goes, unless it has another name or is what Bring back starts from", async () => {
    cloud.snapshots = [{ id: 71, name: "acme-final-o" }];
    const id = insertInstance(world.db, acme);
    expect(await resolve("delete-orphan", id, finalSnapshot)).toMatchObject({ state: "done" });
    expect(done).toEqual(["delete snapshot 71"]);
    const owner = insertInstance(world.db, { slug: "owner", snapshotId: 71 });
    expect(await resolve("delete-orphan", owner, finalSnapshot)).toMatchObject({ state: "failed" });
    world.db.delete(drift).run();
    cloud.snapshots = [{ id: 71, name: "somebody-else's" }];
    expect(await resolve("delete-orphan", id, finalSnapshot)).toMatchObject({ state: "failed" });
    expect(done).toEqual(["delete snapshot 71"]);
  });
  test("an orphaned record goes, unless the instance has come back to it", async () => {
    const left = { type: "orphaned-record", recordId: 9, domain, name: "acme" } as const;
    const id = insertInstance(world.db, acme);
    cloud.records = [
      { id: 9, type: "A", name: "acme", data: "203.0.113.7" },
      { id: 10, type: "A", name: "acme", data: acme.ipAddress },
    ];
    const old: Finding = { ...left, address: "203.0.113.7" };
    expect(await resolve("delete-orphan", id, old)).toMatchObject({ state: "done" });
    expect(done).toEqual(["remove record 9"]);
    const own: Finding = { ...left, address: acme.ipAddress };
    expect(await resolve("delete-orphan", id, own)).toMatchObject({ state: "failed" });
    expect(done).toHaveLength(1);
  });
});

describe("repair", () => {
  const size: Finding = {
    ...{ type: "changed-size", dropletId: 1, recorded: "s-1vcpu-2gb", actual: "s-2vcpu-4gb" },
    ...{ recordedPrice: 1200, actualPrice: 2400 },
  };
  const elsewhere: Finding = {
    ...{ type: "changed-address", dropletId: 1, recorded: "203.0.113.1", actual: "203.0.113.2" },
  };

  test("the row takes the real size and its price", async () => {
    cloud.droplets = [droplet({ id: 1, sizeSlug: "s-2vcpu-4gb", priceMonthlyCents: 2400 })];
    const id = insertInstance(world.db, acme);
    expect(await resolve("repair-drift", id, size)).toMatchObject({ state: "done" });
    expect(rowOf(id)).toMatchObject({ size: "s-2vcpu-4gb", priceMonthlyCents: 2400, status: "running" });
    expect(noted()).toEqual([]);
  });
  test("the row takes the real address and its names lead there, once the host key is the known one", async () => {
    cloud.droplets = [droplet({ id: 1 })];
    const id = insertInstance(world.db, acme);
    expect(await resolve("repair-drift", id, elsewhere)).toMatchObject({
      state: "failed",
      userMessage: expect.stringContaining("host key"),
    });
    expect(done).toEqual([]);
    world.db.delete(drift).run();
    world.db.update(instances).set({ hostKey: "key of 203.0.113.2" }).run();
    expect(await resolve("repair-drift", id, elsewhere)).toMatchObject({ state: "done" });
    expect(done).toEqual([`domain ${domain}`, "point acme at 203.0.113.2"]);
    expect(rowOf(id)).toMatchObject({ ipAddress: "203.0.113.2" });
  });
  test("a droplet that the instance doesn't have any more changes nothing", async () => {
    cloud.droplets = [droplet({ id: 1 })];
    const id = insertInstance(world.db, { ...acme, dropletId: 5 });
    const untagged: Finding = { type: "changed-tags", dropletId: 1, missing: ["spawner"] };
    for (const one of [size, elsewhere, untagged])
      expect(await resolve("repair-drift", id, one)).toMatchObject({ state: "failed" });
    expect(done).toEqual([]);
  });
  test("missing tags are put back", async () => {
    cloud.droplets = [droplet({ id: 1 })];
    const missing = ["spawner", "spawner-instance-a"];
    const id = insertInstance(world.db, acme);
    const untagged: Finding = { type: "changed-tags", dropletId: 1, missing };
    expect(await resolve("repair-drift", id, untagged)).toMatchObject({ state: "done" });
    expect(done).toEqual(["tag 1 spawner", "tag 1 spawner-instance-a"]);
  });
  test("a record leads to where the instance is now, not to where it was when the drift was found", async () => {
    const id = insertInstance(world.db, { ...acme, ipAddress: "203.0.113.8" });
    const lost: Finding = { type: "missing-record", domain, name: "acme", address: "203.0.113.1" };
    expect(await resolve("repair-drift", id, lost)).toMatchObject({ state: "done" });
    expect(done).toEqual([`domain ${domain}`, "point acme at 203.0.113.8"]);
    for (const over of [{ slug: "moved" }, { destroyedAt: 1 }, { ipAddress: null }]) {
      const other = insertInstance(world.db, { ...acme, slug: "acme-2", ...over });
      const name = "slug" in over ? "acme" : "acme-2";
      expect(await resolve("repair-drift", other, { ...lost, name })).toMatchObject({ state: "failed" });
      world.db.delete(drift).run();
    }
    expect(done).toHaveLength(2);
  });
  test("a domain is added again, and the instance's names with it", async () => {
    const id = insertInstance(world.db, acme);
    const lost: Finding = { type: "missing-domain", domain };
    expect(await resolve("repair-drift", id, lost)).toMatchObject({ state: "done" });
    expect(done).toEqual([`domain ${domain}`, `domain ${domain}`, `point acme at ${acme.ipAddress}`]);
  });
  test("a snapshot that is gone leaves the rows: the best that is left takes its place", async () => {
    const id = insertInstance(world.db, { ...acme, snapshotId: 72, snapshotAt: 200 });
    const row = { instanceId: id, operationId: "o", name: "s", sizeGb: 1 };
    world.db
      .insert(snapshots)
      .values([
        { ...row, id: 71, sequence: 1, takenAt: 100, answered: true },
        { ...row, id: 72, sequence: 2, takenAt: 200, answered: true },
        { ...row, id: 73, sequence: 3, takenAt: 300, answered: false },
      ])
      .run();
    const lost: Finding = { type: "missing-snapshot", snapshotId: 72, name: "s" };
    cloud.snapshots = [{ id: 72, name: "s" }];
    await resolve("repair-drift", id, lost);
    expect(rowOf(id)).toMatchObject({ snapshotId: 72 });
    cloud.snapshots = [];
    await resolve("repair-drift", id, lost);
    expect(rowOf(id)).toMatchObject({ snapshotId: 71, snapshotAt: 100 });
    await resolve("repair-drift", id, { ...lost, snapshotId: 71 });
    expect(rowOf(id)).toMatchObject({ snapshotId: 73, snapshotAt: 300 });
    await resolve("repair-drift", id, { ...lost, snapshotId: 73 });
    expect(rowOf(id)).toMatchObject({ snapshotId: null, snapshotAt: null });
  });
  test("the SSH key is registered anew, whatever was known of it", async () => {
    const lost: Finding = { type: "missing-ssh-key", name: "test" };
    expect(await resolve("repair-drift", insertInstance(world.db), lost)).toMatchObject({ state: "done" });
    expect(done).toEqual(["forget keys", "register test"]);
  });
});

describe("adopt", () => {
  test("a destroyed instance has a snapshot to be brought back from", async () => {
    cloud.snapshots = [{ id: 71, name: "acme-final-o" }];
    const id = insertInstance(world.db, { slug: "acme", status: "destroyed", destroyedAt: 1 });
    expect(await resolve("adopt-snapshot", id, finalSnapshot)).toMatchObject({ state: "done" });
    expect(rowOf(id)).toMatchObject({ status: "destroyed", snapshotId: 71, snapshotAt: 500 });
    expect(world.db.select().from(snapshots).all()).toMatchObject([
      { id: 71, instanceId: id, sizeGb: 10, takenAt: 500, removedAt: null, answered: false },
    ]);
  });
  test("a snapshot whose row said it was removed is there again", async () => {
    cloud.snapshots = [{ id: 71, name: "acme-final-o" }];
    const id = insertInstance(world.db, { slug: "acme", status: "destroyed", destroyedAt: 1 });
    const row = { id: 71, instanceId: id, operationId: "o", name: "acme-final-o", sizeGb: 10 };
    world.db
      .insert(snapshots)
      .values({ ...row, takenAt: 1, removedAt: 2 })
      .run();
    await resolve("adopt-snapshot", id, finalSnapshot);
    expect(world.db.select().from(snapshots).all()).toMatchObject([{ id: 71, removedAt: null }]);
  });
  test("a snapshot that is gone, or not needed any more, is not adopted", async () => {
    const id = insertInstance(world.db, { slug: "acme", status: "destroyed", destroyedAt: 1 });
    expect(await resolve("adopt-snapshot", id, finalSnapshot)).toMatchObject({ state: "failed" });
    expect(rowOf(id)).toMatchObject({ snapshotId: null });
    world.db.delete(drift).run();
    cloud.snapshots = [{ id: 71, name: "acme-final-o" }];
    const other = insertInstance(world.db, { status: "destroyed", destroyedAt: 1, snapshotId: 70 });
    expect(await resolve("adopt-snapshot", other, finalSnapshot)).toMatchObject({ state: "failed" });
  });
  test("an instance that doesn't get the droplet is what it was", async () => {
    const id = insertInstance(world.db, { slug: "acme", status: "destroyed", destroyedAt: null });
    const before = { status: "destroyed", destroyedAt: 7, keptUntil: 9, purgedAt: null };
    expect(await resolve("adopt-droplet", id, orphan, { before })).toMatchObject({
      state: "failed",
      userMessage: expect.stringContaining("gone"),
    });
    expect(rowOf(id)).toMatchObject({ status: "destroyed", destroyedAt: 7, keptUntil: 9 });
  });
  test("an adopted droplet belongs to the team whose token adopts it", async () => {
    cloud.droplets = [droplet()];
    const id = insertInstance(world.db, { slug: "acme", status: "destroyed", accountId: "earlier" });
    world.engine.providers.scanHostKey = async () => {
      throw new StepFailure("It ends here.", "after the droplet was taken over");
    };
    expect(await resolve("adopt-droplet", id, orphan)).toMatchObject({ userMessage: "It ends here." });
    expect(rowOf(id)).toMatchObject({ dropletId: 2, accountId: "ours" });
  });
});
