import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { backups, instances, mail, noBackupPlan } from "#db/schema.ts";
import { applyRetention } from "#server/maintenance/retention.ts";
import { warnOfStaleBackups } from "#server/maintenance/staleBackups.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { createTestEngine, insertInstance, insertUser, only } from "#server/operations/testing/testEngine.ts";
import type { BackupStore } from "#server/providers/backups/backups.ts";
import { instancePages, instancesPerPage, isOnPage } from "./instancePages.ts";

const dayMs = 86_400_000;
let world: ReturnType<typeof createTestEngine>;
let between: () => void;
let removed: string[];
beforeEach(() => {
  between = () => {};
  removed = [];
  const store = only<BackupStore>("backups", { remove: async (key) => void removed.push(key) });
  world = createTestEngine({
    providers: only<Providers>("providers", { backups: store }),
    wait: async () => between(),
  });
  world.db.run("pragma synchronous = OFF");
});
afterEach(() => world.close());

const signal = new AbortController().signal;
const idOf = (number: number) => `instance-${String(number).padStart(5, "0")}`;

/** The ids on each page, in order. */
async function pages(): Promise<string[][]> {
  const onPage = world.db.select({ id: instances.id }).from(instances).where(isOnPage()).prepare();
  const read: string[][] = [];
  for await (const page of instancePages(world.engine))
    read.push(
      onPage
        .all(page)
        .map(({ id }) => id)
        .sort(),
    );
  return read;
}
type Values = Partial<typeof instances.$inferInsert>;
function add(id: string, values: Values = {}): string {
  insertInstance(world.db, { ...values, id, slug: id });
  return id;
}
const fill = (count: number, values: Values = {}) =>
  Array.from({ length: count }, (_, number) => add(idOf(number), values));

test.each([0, 1, instancesPerPage - 1, instancesPerPage, instancesPerPage + 1, 2 * instancesPerPage])(
  "each of %i instances is on one page",
  async (count) => {
    const ids = fill(count);
    const read = await pages();
    expect(read.flat()).toEqual(ids);
    expect(Math.max(0, ...read.map((page) => page.length))).toBeLessThanOrEqual(instancesPerPage);
  },
);

test("an instance added between two pages moves none to another page and isn't read twice", async () => {
  const ids = fill(2 * instancesPerPage + 1);
  let added = 0;
  between = () => {
    added += 1;
    add(`instance-00000-${added}`);
    if (added === 1) add("later");
  };
  const read = (await pages()).flat();
  expect(added).toBeGreaterThan(1);
  expect(new Set(read).size).toBe(read.length);
  expect(read).toEqual(expect.arrayContaining([...ids, "later"]));
  expect(read).not.toContain("instance-00000-1");
});

test("no page is read for work that has been given up", async () => {
  fill(1);
  const givenUp = AbortSignal.abort(new Error("It took too long."));
  await expect(instancePages(world.engine, givenUp).next()).rejects.toThrow("It took too long.");
});

function addBackup(instanceId: string, number: number): void {
  const createdAt = world.clock.now - number * dayMs;
  const id = `${instanceId} ${number}`;
  world.db
    .insert(backups)
    .values({
      ...{ id, key: `${id}.tar.gz`, instanceId, operationId: id, sequence: 10 - number, reason: "manual" },
      ...{ state: "good", version: "2.14.0", createdAt, takenAt: createdAt },
    })
    .run();
}

test("retention and warnings cover the instances of every page, and one added in between loses nothing", async () => {
  insertUser(world.db);
  const backupPlan = { ...noBackupPlan, every: "day" as const, setAt: 1, keepCount: 1 };
  const values = { backupPlan, dropletId: 1, answeredAt: 1 };
  const ids = fill(2 * instancesPerPage + 1, values);
  for (const id of ids) for (const number of [5, 6]) addBackup(id, number);
  let added = 0;
  between = () => {
    added += 1;
    if (added > 2) return;
    const id = add(`instance-00000-${added}`, values);
    for (const number of [5, 6]) addBackup(id, number);
  };

  await applyRetention(world.engine, signal);

  expect(added).toBeGreaterThan(1);
  expect(removed.filter((key) => !key.endsWith(".json")).sort()).toEqual(ids.map((id) => `${id} 6.tar.gz`));
  await applyRetention(world.engine, signal);
  const good = world.db.select().from(backups).where(eq(backups.state, "good")).all();
  expect(good.map(({ id }) => id).sort()).toEqual(
    [...ids, "instance-00000-1", "instance-00000-2"].map((id) => `${id} 5`).sort(),
  );

  const warned = () => world.db.select().from(mail).all();
  let pagesRead = 0;
  between = () => {
    // What the pages so far hold has been warned of, and nothing else.
    pagesRead += 1;
    expect(warned()).toHaveLength(pagesRead * instancesPerPage);
  };
  await warnOfStaleBackups(world.engine, signal);
  expect(new Set(warned().map(({ instanceId }) => instanceId)).size).toBe(ids.length + 2);
});
