import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aliases, dnsRecords, operations } from "#db/schema.ts";
import { bringBack } from "#server/instances/commands/bringBack.ts";
import { changeAddress } from "#server/instances/commands/changeAddress.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { cancelOperation, retryOperation } from "#server/operations/cancelAndRetry.ts";
import { registry } from "#server/operations/registry.ts";
import { createCloudWorld } from "#server/operations/testing/testCloud.ts";
import { begin, insertInstance, operationOf } from "#server/operations/testing/testEngine.ts";

/** Whose a DNS record is, and what becomes of it. */

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const joe = "joe@intranet.localhost";
const domain = "intranet.localhost";
const foreign = {
  userMessage: expect.stringMatching(/DNS record at DigitalOcean that the Spawner didn't make/),
};
const press = (instanceId: string) =>
  destroyInstance(world.engine, { instanceId, confirm: world.row(instanceId).slug }, joe);
const move = (instanceId: string, slug: string, redirectDays = 0) =>
  changeAddress(world.web, { instanceId, slug, domain, redirectDays }, joe);
const namesThere = () => world.cloud.records.map(({ name, data }) => `${name} ${data}`);
const aliasNames = () =>
  world.db
    .select()
    .from(aliases)
    .all()
    .map(({ slug, role }) => `${slug} ${role}`);

test.each(["A", "CNAME"])("a foreign %s record is neither overwritten nor removed", async (type) => {
  const { cloud, db, engine, play } = world;
  const id = insertInstance(db, { status: "spawning", slug: "acme", version: "2.13.0" });
  cloud.addRecord("acme", "198.51.100.1", type);
  const failed = await play(begin(engine, id, registry.spawn));
  expect(failed).toMatchObject({ state: "failed", failure: foreign });
  expect((await play(press(id))).state).toBe("done");
  expect(namesThere()).toEqual(["acme 198.51.100.1"]);
  expect(cloud.droplets).toEqual([]);
});

test("what we made is kept by its id, corrected when somebody points it elsewhere, and removed in the end", async () => {
  const { cloud, db, play, row, spawned } = world;
  const id = await spawned({ slug: "acme" });
  expect(db.select().from(dnsRecords).all()).toMatchObject([
    { id: cloud.records[0]?.id, instanceId: id, domain, name: "acme", address: row(id).ipAddress },
  ]);
  cloud.addRecord("other", "198.51.100.1");
  for (const record of cloud.records) if (record.name === "acme") record.data = "198.51.100.9";
  expect((await play(press(id))).state).toBe("done");
  expect(namesThere()).toEqual(["other 198.51.100.1"]);
  expect(db.select().from(dnsRecords).all()).toEqual([]);
});

test("records from before ids were kept are adopted by where they lead", async () => {
  const { cloud, db, play, spawned } = world;
  const id = await spawned({ slug: "acme" });
  db.delete(dnsRecords).run();
  db.update(operations).set({ facts: {} }).run();
  expect((await play(press(id))).state).toBe("done");
  expect(cloud.records).toEqual([]);
});

test("a record that the list tells twice is one record, and stays", async () => {
  const { cloud, db, engine, play, spawned } = world;
  const id = await spawned({ slug: "acme" });
  let told = 0;
  cloud.meet = (request) => {
    if (request.method !== "GET" || !request.path.includes("/records?") || told++ > 0) return undefined;
    const view = { ...cloud.records[0], ttl: 60 };
    return { status: 200, body: { domain_records: [view, view], links: {}, meta: { total: 1 } } };
  };
  expect((await play(begin(engine, id, registry["bring-back"]))).state).toBe("done");
  expect(told).toBeGreaterThan(1);
  expect(namesThere()).toHaveLength(1);
  expect(db.select().from(dnsRecords).all()).toHaveLength(1);
});

test("a record whose answer was lost is found again, made once, and does not outlive Destroy", async () => {
  const { cloud, clock, db, engine, play, row } = world;
  const id = insertInstance(db, { status: "spawning", slug: "acme", version: "2.13.0" });
  let lost = 0;
  cloud.meet = (request) => {
    if (request.method !== "POST" || !request.path.endsWith("/records") || lost++ > 0) return undefined;
    cloud.answer(request);
    return { status: 500, body: { id: "server_error", message: "…" } };
  };
  expect((await play(begin(engine, id, registry.spawn))).state).toBe("done");
  expect(cloud.records).toHaveLength(1);

  // Another one's process dies in the call, and the record is made only after Destroy has looked.
  const other = insertInstance(db, { status: "spawning", slug: "late", version: "2.13.0" });
  const spawn = begin(engine, other, registry.spawn);
  cloud.meet = ({ method, path }) => {
    if (method === "POST" && path.endsWith("/records")) throw new Error("the process dies");
    return undefined;
  };
  await play(spawn, () => operationOf(db, spawn).facts.recordsAsked !== undefined);
  cloud.meet = () => undefined;
  cancelOperation(engine, spawn, joe);
  const cancelledAt = clock.now;
  const { ipAddress: address } = row(other);
  await play(spawn, () => clock.now - cancelledAt > 60_000);
  cloud.addRecord("late", address ?? "");
  expect((await play(spawn)).state).toBe("cancelled");
  expect(namesThere().filter((one) => one.startsWith("late"))).toEqual([]);
});

test("a move or a return to a name that a foreign record uses is refused before anything begins", async () => {
  const { cloud, db, play, spawned, web } = world;
  const id = await spawned({ slug: "acme" });
  cloud.addRecord("taken", "198.51.100.1");
  await expect(move(id, "taken")).rejects.toMatchObject({
    message: foreign.userMessage,
    fields: { slug: foreign.userMessage },
  });
  await play(press(id));
  cloud.addRecord("acme", "198.51.100.1");
  await expect(bringBack(web, { instanceId: id }, joe)).rejects.toMatchObject({
    message: foreign.userMessage,
  });
  expect(
    db
      .select()
      .from(operations)
      .all()
      .map(({ kind }) => kind),
  ).toEqual(["spawn", "destroy"]);
  // While DigitalOcean can't be asked nobody is kept waiting: the step looks again.
  cloud.meet = () => ({ status: 503, body: { id: "server_error", message: "…" } });
  expect(await bringBack(web, { instanceId: id }, joe)).toEqual(expect.any(String));
});

test("the cancel of a move back leaves the redirect that was there, until its own end", async () => {
  const { cloud, db, engine, play, spawned } = world;
  const id = await spawned({ slug: "acme" });
  expect((await play(await move(id, "acme-2", 30))).state).toBe("done");
  expect(aliasNames()).toEqual(["acme redirect"]);
  const [before] = db.select().from(aliases).all();
  const there = namesThere();

  const back = await move(id, "acme");
  expect(aliasNames()).toEqual(["acme next"]);
  await play(back, () => operationOf(db, back).facts.runs !== undefined);
  cancelOperation(engine, back, joe);
  expect((await play(back)).state).toBe("cancelled");
  expect(db.select().from(aliases).all()).toMatchObject([{ ...before, role: "redirect" }]);
  expect(namesThere()).toEqual(there);
  expect(cloud.records).toHaveLength(2);
});

test("a move that failed is freed by Cancel, and by Destroy when it can't be taken up any more", async () => {
  const { db, engine, play, row, spawned } = world;
  const { readRun } = engine.providers.playbooks;
  for (const way of ["cancel", "destroy"] as const) {
    const slug = `acme-${way}`;
    const id = await spawned({ slug });
    engine.providers.playbooks.readRun = async () => ({ state: "failed", cursor: 1, events: [] });
    const failed = await play(await move(id, `${slug}-2`));
    engine.providers.playbooks.readRun = readRun;
    expect(failed.state).toBe("failed");
    expect(namesThere()).toContain(`${slug}-2 ${row(id).ipAddress}`);
    if (way === "cancel") cancelOperation(engine, failed.id, joe);
    expect((await play(way === "cancel" ? failed.id : press(id))).state).toMatch(/cancelled|done/);
    expect(aliasNames()).toEqual([]);
    expect(namesThere().filter((one) => one.startsWith(`${slug}-2`))).toEqual([]);
    expect(() => retryOperation(engine, failed.id, joe)).toThrow();
    db.delete(aliases).where(eq(aliases.instanceId, id)).run();
  }
});

test("a move makes no record that points to a droplet that is gone", async () => {
  const { cloud, play, row, spawned } = world;
  const id = await spawned({ slug: "acme" });
  cloud.droplets = [];
  const failed = await play(await move(id, "acme-moved"));
  expect(failed.failure?.userMessage).toMatch(/droplet is gone/);
  expect(row(id).dropletGoneAt).not.toBeNull();
  expect(namesThere()).toEqual([`acme ${row(id).ipAddress}`]);
});

test("another team's token neither forgets our records nor makes any", async () => {
  const { cloud, db, play, spawned } = world;
  const id = await spawned({ slug: "acme" });
  const { records } = cloud;
  const operationId = press(id);
  await play(operationId, () => world.stepOf(operationId, "snapshot")?.state === "done");
  world.restartAs("another-team");
  cloud.records = [];
  expect((await play(operationId)).failure?.userMessage).toMatch(/different DigitalOcean team/);
  expect(
    db
      .select()
      .from(dnsRecords)
      .all()
      .map((one) => one.id),
  ).toEqual(records.map((one) => one.id));
});

test("a retry frees its own names alone, whoever has them by now", async () => {
  const { cloud, db, engine, play, spawned } = world;
  const id = await spawned({ slug: "acme" });
  cloud.meet = ({ method }) => (method === "DELETE" ? { status: 422, body: { message: "No." } } : undefined);
  const moving = await move(id, "moved");
  expect((await play(moving)).state).toBe("failed");
  cloud.meet = () => undefined;
  // Its time is over: the name becomes free, and another customer's, who moves on.
  db.delete(aliases).run();
  cloud.records = cloud.records.filter(({ name }) => name !== "acme");
  const other = await spawned({ slug: "acme" });
  expect((await play(await move(other, "elsewhere", 30))).state).toBe("done");
  expect(aliasNames()).toEqual(["acme redirect"]);
  retryOperation(engine, moving, joe);
  expect((await play(moving)).state).toBe("done");
  expect(aliasNames()).toEqual(["acme redirect"]);
  expect(namesThere()).toContain(`acme ${world.row(other).ipAddress}`);
});
