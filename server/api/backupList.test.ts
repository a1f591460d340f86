import { afterEach, beforeEach, expect, test } from "vitest";
import { backups, operations } from "#db/schema.ts";
import { insertInstance } from "#server/operations/testing/testEngine.ts";
import { createTestWeb } from "#server/testing/testWeb.ts";

let world: Awaited<ReturnType<typeof createTestWeb>>;
let joe: ReturnType<typeof world.caller>;
let count: number;
beforeEach(async () => {
  count = 0;
  world = await createTestWeb();
  joe = world.caller();
});
afterEach(() => world.close());

type Backup = typeof backups.$inferInsert;

/** Adds a backup of the instance, newer than the ones before it. */
function add(instanceId: string, id: string, values: Partial<Backup> = {}): void {
  count += 1;
  const made = { instanceId, sequence: count, createdAt: count };
  world.db
    .insert(operations)
    .values({ ...made, id: `o-${id}`, kind: "backup", state: "done", facts: {}, createdBy: "joe" })
    .run();
  world.db
    .insert(backups)
    .values({
      ...{ ...made, id, operationId: `o-${id}`, key: id, version: "1", reason: "manual", state: "good" },
      ...{ takenAt: count, ...values },
    })
    .run();
}
const ids = async (wanted: Parameters<typeof joe.backups.list>[0]) =>
  (await joe.backups.list(wanted)).backups.map(({ id }) => id);

test("each filter finds its own backups, and shows their number beforehand", async () => {
  const acme = insertInstance(world.db, { company: "Acme" });
  add(acme, "good");
  add(acme, "tested", { restoreTestedAt: 5, restoreTestedInMs: 1 });
  add(acme, "test failed", { restoreTestFailure: "It didn't answer." });
  add(acme, "failed", { state: "failed" });
  add(acme, "running", { state: "running" });
  add(acme, "removed", { state: "removed", removedAt: 9 });

  const found = {
    all: ["running", "failed", "test failed", "tested", "good"],
    tested: ["tested"],
    untested: ["good"],
    bad: ["failed", "test failed"],
  };
  const summary = await joe.backups.summary();
  for (const filter of ["all", "tested", "untested", "bad"] as const) {
    expect(await ids({ filter })).toEqual(found[filter]);
    expect(summary[filter]).toBe(found[filter].length);
  }
});

test("the search matches the company and the address, and combines with a filter", async () => {
  const bakery = insertInstance(world.db, { company: "Östra Bageriet", slug: "ostra", domain: "x.test" });
  const other = insertInstance(world.db, { company: "Nord", slug: "nord", domain: "x.test" });
  add(bakery, "old");
  add(other, "other");
  add(bakery, "bad", { state: "failed" });

  expect(await ids({ search: "östra bag" })).toEqual(["bad", "old"]);
  expect(await ids({ search: "ostra.x.t" })).toEqual(["bad", "old"]);
  expect(await ids({ search: "ÖSTRA", filter: "bad" })).toEqual(["bad"]);
  expect(await ids({ search: "nobody" })).toEqual([]);
  expect(await ids({ instanceId: other })).toEqual(["other"]);
});

test("older backups load page by page, each once, whatever is added meanwhile", async () => {
  const acme = insertInstance(world.db);
  for (let index = 0; index < 120; index += 1) add(acme, `b${index}`);
  const pages: string[][] = [];
  let cursor: number | null | undefined;
  do {
    const page = await joe.backups.list({ instanceId: acme, cursor });
    pages.push(page.backups.map(({ id }) => id));
    add(acme, `meanwhile ${pages.length}`);
    cursor = page.next;
  } while (cursor !== null);
  expect(pages.map((page) => page.length)).toEqual([50, 50, 20]);
  expect(pages.flat()).toEqual(Array.from({ length: 120 }, (_, index) => `b${119 - index}`));
});
