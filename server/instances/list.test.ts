import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type InstanceStatus, instances, operations, steps } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import { insertInstance } from "#server/operations/testing/testEngine.ts";
import { recordPlans } from "#server/testing/testPlans.ts";
import { createTestWeb } from "#server/testing/testWeb.ts";

let world: Awaited<ReturnType<typeof createTestWeb>>;
let joe: ReturnType<typeof world.caller>;
beforeEach(async () => {
  world = await createTestWeb();
  joe = world.caller();
});
afterEach(() => world.close());

const add = (company: string, status: InstanceStatus = "running", values = {}) =>
  insertInstance(world.db, {
    ...{ company, status, dropletId: 1, answeredAt: 1, hostKey: "ssh-ed25519 AAAA" },
    ...(status === "destroyed" ? { destroyedAt: 1 } : {}),
    ...values,
  });

function addOperation(
  id: string,
  instanceId: string,
  state: "running" | "done" | "failed",
  sequence: number,
  batchId: string | null = null,
) {
  const own = { id, instanceId, state, sequence, batchId, kind: "backup" as const };
  world.db
    .insert(operations)
    .values({ ...own, facts: {}, createdBy: "joe", createdAt: sequence })
    .run();
  world.db
    .insert(steps)
    .values({ operationId: id, name: "dump", label: "Dump", position: 0, state, dueAt: 0 })
    .run();
}

type Wanted = Omit<Parameters<typeof joe.instances.list>[0], "cursor">;

/** Reads the list to its end; `between` runs after each page. */
async function readAll(wanted: Wanted = {}, between: (page: number) => void = () => {}) {
  const pages: string[][] = [];
  let cursor: Awaited<ReturnType<typeof joe.instances.list>>["next"] | undefined;
  do {
    const page = await joe.instances.list({ ...wanted, cursor });
    pages.push(page.instances.map((row) => row.company));
    cursor = page.next;
    between(pages.length);
  } while (cursor !== null);
  return pages;
}

test("the list comes by group and by name inside, without what is destroyed", async () => {
  add("Zebra");
  add("Ärla");
  add("Kund 10");
  add("Kund 9", "off");
  add("Gone", "destroyed");
  add("Zorn", "unreachable");
  add("Busy", "backing-up");
  expect(await readAll()).toEqual([["Zorn", "Busy", "Ärla", "Kund 9", "Kund 10", "Zebra"]]);
  expect(await readAll({ status: "destroyed" })).toEqual([["Gone"]]);
  expect(await readAll({ status: "running" })).toEqual([["Ärla", "Kund 10", "Zebra"]]);
});

test("no row comes twice or is missing while others are added, change and go between pages", async () => {
  const names = Array.from({ length: 130 }, (_, index) => `M ${index}`);
  for (const [index, name] of names.entries()) add(name, index % 3 === 0 ? "failed" : "running");
  const pages = await readAll({}, (page) => {
    add(`A before ${page}`, "failed");
    add(`Z after ${page}`);
    world.db.update(instances).set({ status: "destroyed" }).where(eq(instances.company, "M 1")).run();
  });
  const read = pages.flat();
  expect(new Set(read).size).toBe(read.length);
  expect(names.filter((name) => name !== "M 1" && !read.includes(name))).toEqual([]);
  expect(read.slice(-2)).toEqual(["Z after 1", "Z after 2"]);
  expect(pages.map((page) => page.length)).toEqual([50, 50, 32]);
});

test("rows of one name are told apart by their ids across pages", async () => {
  const ids = Array.from({ length: 60 }, () => add("Same"));
  const first = await joe.instances.list({});
  const second = await joe.instances.list({ cursor: first.next });
  expect([...first.instances, ...second.instances].map((row) => row.id)).toEqual(ids.sort());
});

test("the search finds part of a name or an address, without case and accents, and takes signs as they are", async () => {
  add("Många Bagare", "running", { slug: "baker" });
  add("100 % Öl", "failed", { slug: "oel", domain: "beer.example" });
  add("Gone baker", "destroyed");
  for (const search of ["många", "MANGA", " bag", "BAKER.intra", "https://baker.intranet.localhost/"])
    expect(await readAll({ search })).toEqual([["Många Bagare"]]);
  for (const search of ["0 %", "öl", "oel.beer"]) expect(await readAll({ search })).toEqual([["100 % Öl"]]);
  expect(await readAll({ search: "a_g" })).toEqual([[]]);
  expect(await readAll({ search: "baker", status: "destroyed" })).toEqual([["Gone baker"]]);
});

test("sums count every status, and the money of what has a droplet", async () => {
  add("One");
  add("Two", "running", { priceMonthlyCents: 2400 });
  add("None yet", "spawning", { dropletId: null });
  add("Lost", "unreachable", { dropletGoneAt: 5 });
  add("Gone", "destroyed", { dropletId: null });
  const { sums, underWay } = await joe.instances.summary();
  expect(Object.fromEntries(sums.map(({ status, ...sum }) => [status, sum]))).toEqual({
    running: { count: 2, droplets: 2, monthlyCents: 3600 },
    spawning: { count: 1, droplets: 0, monthlyCents: 0 },
    unreachable: { count: 1, droplets: 0, monthlyCents: 0 },
    destroyed: { count: 1, droplets: 0, monthlyCents: 0 },
  });
  expect(underWay.map((row) => row.company)).toEqual(["None yet"]);
  const found = await joe.instances.found({ search: "two" });
  expect(found.sums).toEqual([{ status: "running", count: 1, droplets: 1, monthlyCents: 2400 }]);
});

test("a batch's rows have steps only while their operation is live", async () => {
  addOperation("over", add("Over"), "done", 1, "together");
  addOperation("failed", add("Failed"), "failed", 2, "together");
  addOperation("live", add("Under way"), "running", 3, "together");
  const { instances: rows } = await joe.instances.batch({ batchId: "together" });
  const steps = rows.map(({ operation }) => [operation?.id, operation?.steps.length] as const);
  expect(Object.fromEntries(steps)).toEqual({ over: 0, failed: 0, live: 1 });
});

test("a row has its newest operation, with steps only while that is live", async () => {
  for (const [name, state] of [
    ["Live", "running"],
    ["Over", "done"],
    ["Broken", "failed"],
  ] as const) {
    const instanceId = add(name);
    addOperation(`${name}1`, instanceId, "done", 1);
    addOperation(`${name}2`, instanceId, state, 2);
  }
  const { instances: rows } = await joe.instances.list({});
  expect(rows.map(({ operation }) => [operation?.id, operation?.steps.length])).toEqual([
    ["Broken2", 0],
    ["Live2", 1],
    ["Over2", 0],
  ]);
  expect(rows[0]?.operation?.canRetry).toBe(true);
});

test("a command for all that the list means is about what it means at that moment", async () => {
  const names = Array.from({ length: 60 }, (_, index) => `Shop ${index}`);
  const ids = names.map((name) => add(name));
  add("Other");
  add("Shop gone", "destroyed");
  const matching = { search: "shop", exceptIds: [ids[3] ?? ""] };
  await expect(joe.instances.inBulk({ action: "destroy", matching, confirm: 60 })).rejects.toThrow(
    "Type 59 to confirm.",
  );
  add("Shop late");
  await expect(joe.instances.inBulk({ action: "destroy", matching, confirm: 59 })).rejects.toThrow(
    "Type 60 to confirm.",
  );
  const done = await joe.instances.inBulk({ action: "destroy", matching, confirm: 60 });
  expect(done).toMatchObject({ begun: 60, refused: [] });
  const spared = world.db.select().from(instances).where(eq(instances.status, "running")).all();
  expect(spared.map((row) => row.company).sort()).toEqual(["Other", "Shop 3"]);
});

test("at most 500 at once, chosen one by one or by what they have in common", async () => {
  world.db.transaction(() => {
    for (let index = 0; index < 501; index += 1) add(`Shop ${index}`);
  });
  const refused = /501 are selected. Select at most 500 at once./;
  await expect(
    joe.instances.inBulk({ action: "destroy", matching: { exceptIds: [] }, confirm: 501 }),
  ).rejects.toThrow(refused);
  const instanceIds = Array.from({ length: 501 }, () => newId());
  await expect(joe.instances.inBulk({ action: "backUp", instanceIds })).rejects.toMatchObject({
    code: "BAD_REQUEST",
  });
  expect(world.db.select().from(operations).all()).toEqual([]);
});

test("no query behind the list reads a table from end to end but the sums, which an index holds", async () => {
  addOperation("live", add("One"), "running", 2);
  addOperation("done", add("Two"), "done", 1);
  addOperation("failed", add("Busy", "updating"), "failed", 3);
  const plans = recordPlans(world.db);
  await joe.instances.list({});
  await joe.instances.list({ status: "running", cursor: { group: "well", name: "a", id: "a" } });
  await joe.instances.list({ cursor: { group: "well", name: "a", id: "a" } });
  await joe.instances.summary();
  expect(plans.scans()).toEqual([
    "SCAN wanted VIRTUAL TABLE INDEX 1:",
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    "SCAN instances USING COVERING INDEX instances_sums",
  ]);
  expect(plans.sorts().filter((plan) => /instances_by_(group|status)/.test(plan))).toEqual([]);
});
