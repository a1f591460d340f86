import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { instances, snapshots } from "#db/schema.ts";
import { bringBack } from "#server/instances/commands/bringBack.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { purgeInstance } from "#server/instances/commands/purgeInstance.ts";
import { removeOldSnapshots } from "#server/maintenance/oldSnapshots.ts";
import { cancelOperation } from "./cancelAndRetry.ts";
import { createCloudWorld } from "./testing/testCloud.ts";
import { operationOf } from "./testing/testEngine.ts";
import { brokenRules } from "./testing/testInvariants.ts";

/** A snapshot whose removal was begun may be gone already, whatever becomes of the one who began it. */

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const joe = "joe@intranet.localhost";
const minute = 60_000;

/** A destroyed instance with its snapshot, and with what a crash leaves: a snapshot that is gone and nobody noted. */
async function destroyed() {
  const { engine, play, row, spawned } = world;
  const instanceId = await spawned();
  const { slug } = row(instanceId);
  const destroy = destroyInstance(engine, { instanceId, confirm: slug }, joe);
  expect((await play(destroy)).state).toBe("done");
  return { instanceId, slug };
}

/** From now on DigitalOcean removes each snapshot it is asked to, and its answer never arrives. */
function loseAnswers(): void {
  const { cloud } = world;
  cloud.meet = (request) => {
    if (request.method !== "DELETE" || !request.path.startsWith("snapshots/")) return undefined;
    cloud.answer(request);
    throw new Error("The process dies here.");
  };
}

const broken = () =>
  brokenRules({
    db: world.db,
    ask: async (path) => world.cloud.answer({ method: "GET", path, body: {} }).body,
    isStored: async () => true,
  });
const tidyUp = () => removeOldSnapshots(world.engine, new AbortController().signal);
const rowsThere = () =>
  world.db
    .select()
    .from(snapshots)
    .all()
    .filter(({ removedAt }) => removedAt === null)
    .map(({ id }) => id);

test.each(["cancelled", "failed"] as const)(
  "what a %s removal for good has begun to remove is not offered by Bring back, and goes",
  async (how) => {
    const { cloud, engine, play, web } = world;
    const { instanceId, slug } = await destroyed();
    const operationId = purgeInstance(engine, { instanceId, confirm: slug }, joe);
    loseAnswers();
    await play(operationId, how === "failed" ? undefined : () => cloud.snapshots.length === 0);
    cloud.meet = () => undefined;
    if (how === "cancelled") {
      cancelOperation(engine, operationId, joe);
      await play(operationId);
    }
    expect(operationOf(world.db, operationId).state).toBe(how);
    expect(cloud.snapshots).toEqual([]);
    await expect(bringBack(web, { instanceId }, joe)).rejects.toThrow("no snapshot");
    expect(await broken()).toEqual([]);
    await tidyUp();
    expect(rowsThere()).toEqual([]);
  },
);

test("a removal that is begun with another team's token leaves Bring back its snapshot", async () => {
  const { cloud, db, engine, play, web } = world;
  const { instanceId, slug } = await destroyed();
  world.restartAs("another-team");
  const [kept] = rowsThere();
  const operationId = purgeInstance(engine, { instanceId, confirm: slug }, joe);
  expect((await play(operationId)).state).toBe("failed");
  expect(cloud.snapshots).toHaveLength(1);
  expect(rowsThere()).toEqual([kept]);
  db.update(instances).set({ keptUntil: null }).where(eq(instances.id, instanceId)).run();
  const back = await bringBack(web, { instanceId }, joe);
  expect(operationOf(db, back).facts).toMatchObject({ imageId: kept });
});

test("an old snapshot that is being removed is never what Bring back starts from", async () => {
  const { cloud, db, row } = world;
  const { instanceId } = await destroyed();
  const [newest] = rowsThere();
  const older = cloud.addSnapshot("older", 1);
  const { sequence: _own, ...like } = db.select().from(snapshots).get() ?? expect.fail("no snapshot");
  db.insert(snapshots)
    .values({ ...like, id: older.id, name: older.name, sequence: -1 })
    .run();
  loseAnswers();
  await tidyUp();
  expect(cloud.snapshots.map(({ id }) => id)).toEqual([newest]);
  expect(await broken()).toEqual([]);
  expect(row(instanceId).snapshotId).toBe(newest);
  cloud.meet = () => undefined;
  await tidyUp();
  expect(rowsThere()).toEqual([newest]);
});

test("a cancelled destroy that can't note that its snapshot is gone leaves none to be brought back from", async () => {
  const { cloud, clock, db, engine, play, row, spawned } = world;
  const instanceId = await spawned();
  const operationId = destroyInstance(engine, { instanceId, confirm: row(instanceId).slug }, joe);
  await play(operationId, () => cloud.snapshots.length > 0 && row(instanceId).snapshotId !== null);
  cancelOperation(engine, operationId, joe);
  loseAnswers();
  expect((await play(operationId)).state).toBe("failed");
  cloud.meet = () => undefined;
  expect(row(instanceId).snapshotId).toBeNull();
  expect(await broken()).toEqual([]);
  clock.now += minute;
  await tidyUp();
  expect(rowsThere()).toEqual([]);
  expect(db.select().from(snapshots).all()).toHaveLength(1);
});
