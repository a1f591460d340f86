import { afterAll, beforeAll, expect, test } from "vitest";
import { audit, operations } from "#db/schema.ts";
import { insertInstance } from "#server/operations/testing/testEngine.ts";
import { createTestWeb } from "#server/testing/testWeb.ts";

let world: Awaited<ReturnType<typeof createTestWeb>>;
beforeAll(async () => {
  world = await createTestWeb();
});
afterAll(() => world.close());

const ran = { answeredAt: 1, hostKey: "ssh-ed25519 AAAA" };

test("who did what, with the person's name and what came of it", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme", company: "Acme 100% Bakery" });
  const joe = world.caller();
  const { operationId } = await joe.backups.backUp({ instanceId });
  world.db.update(operations).set({ state: "done", endedAt: 9 }).run();
  world.db
    .insert(audit)
    .values({ at: 1, who: "somebody@gone.example", what: "did something", instanceId })
    .run();
  const { entries, next } = await joe.activity.list({ instanceId });
  expect(next).toBeNull();
  expect(entries).toMatchObject([
    { who: "somebody@gone.example", what: "did something", operation: null },
    {
      ...{ who: "Joe", what: "backed up Acme 100% Bakery" },
      instance: { id: instanceId, slug: "acme", company: "Acme 100% Bakery" },
      operation: { id: operationId, state: "done", endedAt: 9 },
    },
  ]);
});

test("a search finds by person, deed and company, and takes each character as it is", async () => {
  const joe = world.caller();
  const found = async (search: string) =>
    (await joe.activity.list({ search })).entries.map(({ what }) => what);
  expect(await found("BACKED")).toEqual(["backed up Acme 100% Bakery"]);
  expect(await found("gone.example")).toEqual(["did something"]);
  expect(await found("joe")).toContain("backed up Acme 100% Bakery");
  expect(await found("100%")).toHaveLength(2);
  expect(await found("1_0")).toEqual([]);
});

test("page by page, nothing twice", async () => {
  for (let at = 0; at < 150; at += 1)
    world.db
      .insert(audit)
      .values({ at, who: "x", what: `deed ${at}` })
      .run();
  const joe = world.caller();
  const first = await joe.activity.list({ search: "deed" });
  const second = await joe.activity.list({ search: "deed", cursor: first.next });
  expect([first.entries.length, second.entries.length, second.next]).toEqual([100, 50, null]);
  expect(new Set([...first.entries, ...second.entries].map(({ id }) => id)).size).toBe(150);
});

test("who cancelled what, and of which instance", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "fjord", company: "Fjord and Field" });
  const joe = world.caller();
  const { operationId } = await joe.backups.backUp({ instanceId });
  await joe.operations.cancel({ operationId });
  const { entries } = await joe.activity.list({ instanceId });
  expect(entries.map(({ what }) => what)).toEqual([
    "cancelled “Back up” of Fjord and Field",
    "backed up Fjord and Field",
  ]);
});
