import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { instances, operations, snapshots } from "#db/schema.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { cancelOperation, retryOperation } from "./cancelAndRetry.ts";
import { registry } from "./registry.ts";
import { operationTag } from "./steps/droplet.ts";
import { createCloudWorld } from "./testing/testCloud.ts";
import { begin, insertInstance, operationOf } from "./testing/testEngine.ts";

/** What Destroy must not get wrong, whatever DigitalOcean says. */

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const joe = "joe@intranet.localhost";
const minute = 60_000;
const press = (instanceId: string) =>
  destroyInstance(world.engine, { instanceId, confirm: world.row(instanceId).slug }, joe);
const notFound = { status: 404, body: { id: "not_found", message: "Not found." } };

test("one 404 makes no droplet vanish: its snapshot is taken first", async () => {
  const { cloud, play, row, spawned } = world;
  const id = await spawned();
  let looks = 0;
  cloud.meet = ({ method, path }) =>
    method === "GET" && /^droplets\/\d+$/.test(path) && looks++ === 0 ? notFound : undefined;
  expect((await play(press(id))).state).toBe("done");
  expect(cloud.snapshots).toHaveLength(1);
  expect(row(id)).toMatchObject({ status: "destroyed", snapshotId: cloud.snapshots[0]?.id });
});

test("a droplet that is there again after it was called gone is kept before it goes", async () => {
  const { cloud, clock, play, spawned, stepOf } = world;
  const id = await spawned();
  const hidden = cloud.droplets.splice(0);
  const operationId = press(id);
  await play(operationId, () => stepOf(operationId, "snapshot")?.state === "skipped");
  cloud.droplets = hidden;
  clock.now += minute;
  expect((await play(operationId)).state).toBe("done");
  expect(cloud.snapshots).toHaveLength(1);
  expect(cloud.asked.filter((one) => one.startsWith("DELETE droplets"))).toHaveLength(1);
});

test("with another team's token nothing is touched, and Retry goes on with the right one", async () => {
  const { cloud, db, engine, play, row, spawned } = world;
  const id = await spawned();
  const { droplets } = cloud;
  world.restartAs("another-team");
  cloud.droplets = [];
  const failed = await play(press(id));
  expect(failed).toMatchObject({
    state: "failed",
    failure: { userMessage: expect.stringMatching(/different DigitalOcean team/) },
  });
  expect(row(id)).toMatchObject({ dropletId: droplets[0]?.id, destroyedAt: null });
  expect(cloud.asked.filter((one) => !one.startsWith("GET"))).toEqual([]);

  world.restartAs("our-team");
  cloud.droplets = droplets;
  retryOperation(engine, failed.id, joe);
  expect((await play(failed.id)).state).toBe("done");
  expect(db.select().from(snapshots).all()).toHaveLength(1);
});

test("a droplet that is really gone is destroyed without a snapshot, after two looks", async () => {
  const { cloud, clock, play, row, spawned } = world;
  const id = await spawned();
  cloud.droplets = [];
  const began = clock.now;
  expect((await play(press(id))).state).toBe("done");
  expect(clock.now - began).toBeGreaterThanOrEqual(3000);
  expect(row(id)).toMatchObject({ status: "destroyed", dropletId: null, snapshotId: null });
  expect(cloud.asked).not.toContain(expect.stringMatching(/DELETE|POST/));
});

test("a droplet that does not go is asked for its end once, looked at ever more rarely, and told of", async () => {
  const { cloud, engine, play, spawned } = world;
  const id = await spawned();
  cloud.meet = ({ method, path }) =>
    method === "DELETE" && path.startsWith("droplets/") ? { status: 204 } : undefined;
  const failed = await play(press(id));
  expect(failed).toMatchObject({
    state: "failed",
    failure: { userMessage: expect.stringMatching(/didn't delete the droplet within 30 minutes/) },
  });
  const deletes = () => cloud.asked.filter((one) => one.startsWith("DELETE droplets")).length;
  expect(deletes()).toBe(1);
  expect(cloud.asked.length).toBeLessThan(200);
  cloud.meet = () => undefined;
  retryOperation(engine, failed.id, joe);
  expect((await play(failed.id)).state).toBe("done");
  expect(deletes()).toBe(2);
});

test("a double is found behind a twin that lingers in the list, and followed to its end", async () => {
  const { cloud, play, spawned } = world;
  const id = await spawned();
  const tags = cloud.droplets[0]?.tags ?? [];
  const lingering = { ...cloud.addDroplet(tags) };
  const double = cloud.addDroplet(tags);
  // The first of the three is gone, but the list still has it.
  cloud.meet = ({ path }) => (path === `droplets/${lingering.id}` ? notFound : undefined);
  const operationId = press(id);
  await play(operationId, () => !cloud.droplets.includes(double));
  cloud.droplets = cloud.droplets.filter((one) => one.id !== lingering.id);
  expect((await play(operationId)).state).toBe("done");
  expect(cloud.droplets).toEqual([]);
});

test("Destroy waits for what any earlier operation may have bought", async () => {
  const { cloud, clock, db, engine, play } = world;
  const id = insertInstance(db, { status: "spawning" });
  const spawn = begin(engine, id, registry.spawn);
  // The call hangs and its process dies: nobody ever learns what came of it.
  const tags = ["spawner", `spawner-instance-${id}`, operationTag(spawn)];
  const fail = (operationId: string, facts = operationOf(db, operationId).facts) => {
    db.update(operations).set({ state: "failed", facts }).where(eq(operations.id, operationId)).run();
    db.update(instances).set({ status: "failed" }).run();
  };
  fail(spawn, { createAskedAt: clock.now });
  fail((await play(press(id), () => cloud.asked.length > 3)).id);
  // Another operation in between knows nothing of it.
  const second = press(id);
  clock.now += minute;
  await play(second, () => clock.now - operationOf(db, spawn).createdAt > 2 * minute);
  cloud.addDroplet(tags);
  expect((await play(second)).state).toBe("done");
  expect(cloud.droplets).toEqual([]);
});

test("what a spawn asked another team for is not called gone, however long ago that was", async () => {
  const { clock, db, engine, play } = world;
  const id = insertInstance(db, { status: "spawning" });
  const spawn = begin(engine, id, registry.spawn);
  const asked = { createAskedAt: clock.now, accountId: "our-team" };
  db.update(operations).set({ state: "failed", facts: asked }).where(eq(operations.id, spawn)).run();
  db.update(instances).set({ status: "failed" }).run();
  world.restartAs("another-team");
  clock.now += 60 * minute;
  expect(await play(press(id))).toMatchObject({
    state: "failed",
    failure: { userMessage: expect.stringMatching(/a different DigitalOcean team/) },
  });
});

test("cancelled while the snapshot is taken: what comes of it is removed once it is there", async () => {
  const { cloud, db, engine, play, row, spawned } = world;
  const id = await spawned();
  cloud.snapshotsTake = "in-progress";
  const operationId = press(id);
  const isTaking = () => [...cloud.actions.values()].includes("in-progress");
  await play(operationId, isTaking);
  cancelOperation(engine, operationId, joe);
  let looks = 0;
  await play(operationId, () => looks++ > 5);
  expect(operationOf(db, operationId).state).toBe("cancelling");
  for (const action of cloud.actions.keys()) cloud.actions.set(action, "completed");
  cloud.addSnapshot(`${row(id).slug}-final-${operationId}`, row(id).dropletId ?? 0);
  cloud.addSnapshot("somebody-else's", row(id).dropletId ?? 0);
  expect((await play(operationId)).state).toBe("cancelled");
  expect(cloud.snapshots.map(({ name }) => name)).toEqual(["somebody-else's"]);
  expect(row(id)).toMatchObject({ status: "running", snapshotId: null });
  expect(cloud.droplets[0]?.status).toBe("active");
});

test("cancelled, a droplet that has no address yet is switched on again", async () => {
  const { cloud, db, engine, play, spawned } = world;
  const id = await spawned();
  db.update(instances).set({ ipAddress: null, hostKey: null, answeredAt: null, status: "failed" }).run();
  const operationId = press(id);
  await play(operationId, () => cloud.droplets[0]?.status === "off");
  cancelOperation(engine, operationId, joe);
  expect((await play(operationId)).state).toBe("cancelled");
  expect(cloud.droplets[0]?.status).toBe("active");
});

test("cancelled before it removed the DNS record, it makes none", async () => {
  const { cloud, db, engine, play, spawned } = world;
  const id = await spawned();
  db.update(instances).set({ status: "failed" }).run();
  cloud.records = [];
  const operationId = press(id);
  await play(operationId, () => cloud.droplets[0]?.status === "off");
  cancelOperation(engine, operationId, joe);
  expect((await play(operationId)).state).toBe("cancelled");
  expect(cloud.records).toEqual([]);
});

test("a snapshot given up after 4 hours is removed by Cancel, and found by Retry", async () => {
  const { cloud, clock, db, engine, play, row, spawned } = world;
  for (const way of ["cancel", "retry"] as const) {
    const id = await spawned();
    cloud.snapshotsTake = "in-progress";
    const operationId = press(id);
    await play(operationId, () => cloud.asked.filter((one) => one.endsWith("/actions")).length > 1);
    clock.now += 4 * 60 * minute;
    const failed = await play(operationId);
    expect(failed).toMatchObject({
      state: "failed",
      failure: { userMessage: expect.stringMatching(/4 hours/) },
    });
    for (const action of cloud.actions.keys()) cloud.actions.set(action, "completed");
    cloud.asked.length = 0;
    const { id: snapshotId } = cloud.addSnapshot(`acme-final-${failed.id}`, row(id).dropletId ?? 0);
    if (way === "cancel") cancelOperation(engine, failed.id, joe);
    else retryOperation(engine, failed.id, joe);
    expect((await play(failed.id)).state).toBe(way === "cancel" ? "cancelled" : "done");
    const known = db.select().from(snapshots).where(eq(snapshots.instanceId, id)).all();
    expect(known.map((one) => one.id)).toEqual(way === "cancel" ? [] : [snapshotId]);
    expect(cloud.snapshots.some((one) => one.id === snapshotId)).toBe(way === "retry");
  }
});

test("one that the version before has begun looks for its snapshot once more, and takes no second one", async () => {
  const { cloud, db, play, spawned, stepOf } = world;
  const id = await spawned();
  const operationId = press(id);
  await play(operationId, () => stepOf(operationId, "snapshot")?.state === "done");
  // What it did not write down.
  const { keptDropletId, accountId, ...facts } = operationOf(db, operationId).facts;
  db.update(operations).set({ facts }).where(eq(operations.id, operationId)).run();
  expect((await play(operationId)).state).toBe("done");
  expect(cloud.snapshots).toHaveLength(1);
  expect(cloud.droplets).toEqual([]);
});
