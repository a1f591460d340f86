import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { instances, operations } from "#db/schema.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { setPower } from "#server/instances/commands/setPower.ts";
import { cancelOperation, retryOperation } from "#server/operations/cancelAndRetry.ts";
import { registry } from "#server/operations/registry.ts";
import { createCloudWorld } from "#server/operations/testing/testCloud.ts";
import { begin, insertInstance, operationOf } from "#server/operations/testing/testEngine.ts";
import { ProviderError } from "#server/providers/errors.ts";

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const joe = "joe@intranet.localhost";
const second = 1000;
const lost = () => {
  throw new ProviderError({ userMessage: "…", detail: "…", retryable: true, unclear: true });
};
const beginSpawn = () => {
  const id = insertInstance(world.db, { status: "spawning", version: "2.13.0" });
  return { id, operationId: begin(world.engine, id, registry.spawn) };
};
const creates = () => world.cloud.asked.filter((one) => one === "POST droplets").length;

test("a call that hangs opens the window when it ends: what it bought is found", async () => {
  const { cloud, clock, play } = world;
  const { operationId } = beginSpawn();
  let late: (typeof cloud.droplets)[number] | undefined;
  cloud.meet = (request) => {
    if (request.method !== "POST" || request.path !== "droplets" || late !== undefined) return undefined;
    // It takes 50 s, and the list lags 40 s behind its end: 90 s after the intent.
    clock.now += 50 * second;
    late = cloud.addDroplet(request.body.tags as string[]);
    late.isListed = false;
    return lost();
  };
  const endsAt = clock.now + 50 * second;
  await play(operationId, () => clock.now - endsAt > 40 * second);
  if (late !== undefined) late.isListed = true;
  expect((await play(operationId)).state).toBe("done");
  expect(creates()).toBe(1);
  expect(cloud.droplets).toHaveLength(1);
});

test.each(["a cancelled Spawn", "Destroy"])(
  "a new droplet that nothing shows yet isn't gone for %s",
  async (how) => {
    const { cloud, clock, db, engine, play, stepOf } = world;
    const { id, operationId } = beginSpawn();
    await play(operationId, () => stepOf(operationId, "create-droplet")?.state === "done");
    const hidden = cloud.droplets.splice(0);
    const boughtAt = clock.now;
    let ending = operationId;
    if (how !== "Destroy") cancelOperation(engine, operationId, joe);
    else {
      db.update(operations).set({ state: "failed" }).where(eq(operations.id, operationId)).run();
      db.update(instances).set({ status: "failed" }).run();
      ending = destroyInstance(engine, { instanceId: id, confirm: world.row(id).slug }, joe);
    }
    await play(ending, () => clock.now - boughtAt > 50 * second);
    cloud.droplets.push(...hidden);
    await play(ending);
    expect(cloud.droplets).toEqual([]);
  },
);

test("a look that begins before the window closes is not the last one", async () => {
  const { cloud, clock, engine, db, play } = world;
  for (const isCancelled of [false, true]) {
    const { operationId } = beginSpawn();
    let late: (typeof cloud.droplets)[number] | undefined;
    let closesAt = 0;
    cloud.meet = (request) => {
      if (request.method === "POST" && request.path === "droplets" && late === undefined) {
        late = cloud.addDroplet(request.body.tags as string[]);
        late.isListed = false;
        closesAt = clock.now + 60 * second;
        return lost();
      }
      if (late === undefined || late.isListed || !request.path.startsWith("droplets?")) return undefined;
      if (clock.now < closesAt - 6 * second) return undefined;
      // Listed with the last moment of the window, while the answer to the last look before it is on its way.
      const before = cloud.answer(request);
      clock.now = Math.max(clock.now, closesAt + 1);
      late.isListed = true;
      return before;
    };
    await play(operationId, () => late !== undefined);
    if (isCancelled) cancelOperation(engine, operationId, joe);
    const bought = creates();
    expect((await play(operationId)).state).toBe(isCancelled ? "cancelled" : "done");
    expect(creates()).toBe(bought);
    expect(cloud.droplets).toHaveLength(1);
    expect(operationOf(db, operationId).facts.createAskedAt).toBeUndefined();
  }
});

test("of a process that died in its call nothing is bought again before the call can have come to its end", async () => {
  const { cloud, clock, db, play } = world;
  const { operationId } = beginSpawn();
  const intent = { createAskedAt: clock.now };
  db.update(operations).set({ facts: intent }).where(eq(operations.id, operationId)).run();
  clock.now += 5 * second;
  const takenOver = clock.now;
  await play(operationId, () => creates() > 0);
  // Once it is taken over, nothing is sent any more: a request may take 20 s, and the list lags for 60 s.
  expect(clock.now - takenOver).toBeGreaterThanOrEqual(80 * second);
  expect(clock.now - takenOver).toBeLessThan(90 * second);
  expect((await play(operationId)).state).toBe("done");
  expect(cloud.droplets).toHaveLength(1);
});

test("a clear refusal bought nothing: the next attempt asks at once", async () => {
  const { cloud, clock, play } = world;
  const { operationId } = beginSpawn();
  let refusals = 0;
  cloud.meet = ({ method, path }) =>
    method === "POST" && path === "droplets" && refusals++ === 0
      ? { status: 429, body: { id: "too_many_requests", message: "API Rate limit exceeded." } }
      : undefined;
  const began = clock.now;
  expect((await play(operationId)).state).toBe("done");
  expect(clock.now - began).toBeLessThan(60 * second);
});

test("Retry of a spawn whose droplet is gone requests another one, and its record follows", async () => {
  const { cloud, engine, play, ran, row } = world;
  const { id, operationId } = beginSpawn();
  const { readRun } = engine.providers.playbooks;
  engine.providers.playbooks.readRun = async () => ({ state: "failed", cursor: 1, events: [] });
  expect((await play(operationId)).state).toBe("failed");
  engine.providers.playbooks.readRun = readRun;
  const [first] = cloud.droplets;
  cloud.droplets = [];
  ran.length = 0;
  retryOperation(engine, operationId, joe);
  expect((await play(operationId)).state).toBe("done");
  expect(row(id).dropletId).not.toBe(first?.id);
  expect(cloud.droplets.map((one) => one.id)).toEqual([row(id).dropletId]);
  expect(ran).toEqual([`provision on ${row(id).ipAddress}`]);
  expect(cloud.records.map((one) => one.data)).toEqual([row(id).ipAddress]);
});

test("a test restore whose droplet was removed as a stray while it was retried gets another one", async () => {
  const { cloud, db, engine, play } = world;
  const id = insertInstance(db);
  const operationId = begin(engine, id, registry["test-restore"], {
    throwaway: true,
    dropletId: 77,
    address: "203.0.113.9",
  });
  db.update(operations).set({ state: "failed" }).where(eq(operations.id, operationId)).run();
  retryOperation(engine, operationId, joe);
  await play(operationId, () => creates() > 0);
  expect(cloud.droplets).toHaveLength(1);
  expect(operationOf(db, operationId).facts.dropletId).toBe(cloud.droplets[0]?.id);
});

test("a droplet that is gone is said to be, and noted, so that the page promises nothing", async () => {
  const { cloud, engine, play, row, spawned } = world;
  const id = await spawned();
  cloud.droplets = [];
  const failed = await play(setPower(engine, { instanceId: id, power: "off" }, joe));
  expect(failed).toMatchObject({
    state: "failed",
    failure: { userMessage: expect.stringMatching(/droplet is gone/) },
  });
  expect(row(id).dropletGoneAt).not.toBeNull();
});

test("what is bought is bought by the team that was noted", async () => {
  const { db, engine, play, row, spawned } = world;
  const id = await spawned();
  expect(row(id).accountId).toBe("our-team");
  db.update(instances).set({ status: "destroyed", destroyedAt: 1 }).where(eq(instances.id, id)).run();
  world.restartAs("another-team");
  const operation = await play(begin(engine, id, registry["bring-back"], { imageId: 5 }));
  expect(operation.failure?.userMessage).toMatch(/different DigitalOcean team/);
  expect(creates()).toBe(0);
});
