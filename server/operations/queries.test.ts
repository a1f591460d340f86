import { afterEach, beforeEach, expect, test } from "vitest";
import { backups, operations, steps } from "#db/schema.ts";
import { recordPlans } from "#server/testing/testPlans.ts";
import { createTestWeb } from "#server/testing/testWeb.ts";
import { insertInstance } from "./testing/testEngine.ts";

let world: Awaited<ReturnType<typeof createTestWeb>>;
let joe: ReturnType<typeof world.caller>;
let instanceId: string;
beforeEach(async () => {
  world = await createTestWeb();
  joe = world.caller();
  instanceId = insertInstance(world.db, { slug: "acme", answeredAt: 1, hostKey: "ssh-ed25519 AAAA" });
});
afterEach(() => world.close());

type Row = typeof operations.$inferInsert;

/** Operations `from` to `to`, each with one step; named by their number. */
function add(from: number, to: number, values: Partial<Row> = {}): void {
  world.db.transaction(() => {
    for (let sequence = from; sequence <= to; sequence += 1) {
      const id = `o${sequence}`;
      const row: Row = {
        ...{ id, instanceId, sequence, kind: "backup", state: "done", facts: {}, createdBy: "joe" },
        ...{ createdAt: sequence, endedAt: sequence + 1 },
        ...values,
      };
      world.db.insert(operations).values(row).run();
      world.db
        .insert(steps)
        .values({
          ...{ operationId: id, name: "one", label: "One", position: 0, dueAt: 0 },
          state: row.state === "failed" ? "failed" : "done",
        })
        .run();
    }
  });
}
const names = (from: number, to: number) =>
  Array.from({ length: from - to + 1 }, (_, index) => `o${from - index}`);
const detail = async () => (await joe.instances.get({ slug: "acme" })).instance;

test("an instance's page has its newest twenty operations, the rest come page by page", async () => {
  add(1, 130);
  const { operations: newest, hasOlderOperations } = await detail();
  expect(newest.map(({ id }) => id)).toEqual(names(130, 111));
  expect(hasOlderOperations).toBe(true);
  const read: string[] = [];
  let cursor: number | null | undefined;
  do {
    const page = await joe.operations.list({ instanceId, cursor });
    read.push(...page.operations.map(({ id }) => id));
    add(131 + read.length, 131 + read.length);
    cursor = page.next;
  } while (cursor !== null);
  expect(read).toEqual(names(130, 1));
});

test("twenty are all there is of twenty", async () => {
  add(1, 20);
  expect(await detail()).toMatchObject({ hasOlderOperations: false, resumable: null });
});

test("what failed before the newest twenty is still there to be taken up, until something else was done", async () => {
  add(1, 1, { kind: "resize", state: "failed" });
  add(2, 40);
  expect((await detail()).resumable).toMatchObject({ id: "o1", canRetry: true });
  add(41, 41, { kind: "restart" });
  expect((await detail()).resumable).toBeNull();
});

test("no query behind an instance's page, or behind the backups, reads a table from end to end", async () => {
  add(1, 1, { kind: "resize", state: "failed" });
  add(2, 40);
  add(41, 41, { state: "running", endedAt: null });
  const own = { instanceId, reason: "manual" as const, state: "good" as const, version: "1" };
  world.db
    .insert(backups)
    .values({ ...own, id: "b", key: "k", operationId: "o2", createdAt: 1, takenAt: 1 })
    .run();
  const plans = recordPlans(world.db);
  await joe.instances.get({ slug: "acme" });
  await joe.operations.list({ instanceId });
  await joe.operations.get({ operationId: "o1" });
  await joe.operations.log({ operationId: "o1" });
  await joe.instances.plan({ kind: "backup" });
  for (const filter of ["all", "tested", "untested", "bad"] as const) {
    await joe.backups.list({ filter });
    await joe.backups.list({ filter, cursor: 1 });
    await joe.backups.list({ filter, instanceId });
  }
  // A page of the backups ends after so many rows of the index.
  expect(plans.scans().sort()).toEqual([
    "SCAN backups USING INDEX backups_there",
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
  ]);
  expect(plans.searches().filter((step) => step.includes("steps_by_state"))).toEqual([]);
  expect(plans.sorts().filter((plan) => /^SEARCH (operations|backups|events)/.test(plan))).toEqual([]);
});
