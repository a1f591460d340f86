import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { instances, operations, strays } from "../../db/schema.ts";
import { catalogue } from "../operations/catalogue.ts";
import type { Providers } from "../operations/definition.ts";
import { operationTag } from "../operations/droplet.ts";
import { begin, createTestEngine, insertInstance, only } from "../operations/testEngine.ts";
import type { DigitalOcean, Droplet } from "../providers/digitalocean/digitalocean.ts";
import { noteStrays, removeStray } from "./strays.ts";

let world: ReturnType<typeof createTestEngine>;
let droplets: Droplet[];
beforeEach(() => {
  droplets = [];
  world = createTestEngine({
    providers: only<Providers>("providers", {
      digitalocean: only<DigitalOcean>("digitalocean", { listDroplets: async () => droplets }),
    }),
  });
});
afterEach(() => world.close());

const minute = 60_000;
const joe = "joe@intranet.localhost";
const droplet = (id: number, operationId: string, ageMinutes = 30): Droplet => ({
  ...{ id, name: `droplet-${id}`, status: "active", address: undefined, snapshotIds: [] },
  ...{ sizeSlug: "s-1vcpu-2gb", priceMonthly: 12, regionSlug: "fra1" },
  createdAt: new Date(world.clock.now - ageMinutes * minute).toISOString(),
  tags: ["spawner", operationTag(operationId)],
});
const noted = () =>
  world.db
    .select()
    .from(strays)
    .all()
    .map((row) => row.dropletId);
const ended = (id: string, state: "done" | "failed", facts = {}) =>
  world.db.update(operations).set({ state, facts }).where(eq(operations.id, id)).run();

test("only what an operation of ours bought and nothing owns is a stray", async () => {
  const { db, engine } = world;
  const instanceId = insertInstance(db, { dropletId: 1 });
  const spawned = begin(engine, instanceId, catalogue.spawn);
  ended(spawned, "done");
  const proved = begin(engine, instanceId, catalogue.prove);
  ended(proved, "failed", { dropletId: 3, throwaway: true });
  const proves = begin(engine, instanceId, catalogue.prove);
  droplets = [
    droplet(1, spawned),
    droplet(2, spawned),
    droplet(3, proved),
    droplet(4, proves),
    droplet(5, "of-another-spawner"),
    droplet(6, spawned, 9),
  ];
  await noteStrays(engine);
  expect(noted()).toEqual([2]);
  expect(db.select().from(strays).get()).toMatchObject({ instanceId, name: "droplet-2", priceMonthly: 1200 });

  world.clock.now += 2 * minute;
  await noteStrays(engine);
  expect(noted()).toEqual([2, 6]);
  droplets = droplets.filter(({ id }) => id !== 2);
  db.update(instances).set({ dropletId: 6 }).run();
  await noteStrays(engine);
  expect(noted()).toEqual([1]);
});

test("a stray is destroyed once, and only while it is one", async () => {
  const { db, engine } = world;
  const instanceId = insertInstance(db, { dropletId: 1, slug: "acme" });
  const spawned = begin(engine, instanceId, catalogue.spawn);
  ended(spawned, "done");
  droplets = [droplet(2, spawned)];
  await noteStrays(engine);
  const first = removeStray(engine, { dropletId: 2 }, joe);
  expect(first).toMatchObject({ instanceId, slug: "acme" });
  expect(removeStray(engine, { dropletId: 2 }, joe)).toEqual(first);
  expect(() => removeStray(engine, { dropletId: 1 }, joe)).toThrow("gone, or belongs to an instance");
  // One whose removal has failed is still one.
  ended(first.operationId, "failed", { dropletId: 2, throwaway: true });
  await noteStrays(engine);
  expect(noted()).toEqual([2]);
  expect(removeStray(engine, { dropletId: 2 }, joe).operationId).not.toBe(first.operationId);
});
