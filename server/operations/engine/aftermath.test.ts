import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type JsonObject, type OperationKind, operations } from "#db/schema.ts";
import { cancelOperation } from "#server/operations/cancelAndRetry.ts";
import { operationViews } from "#server/operations/queries.ts";
import { registry } from "#server/operations/registry.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  insertUser,
  operationOf,
  runToEnd,
} from "#server/operations/testing/testEngine.ts";
import { aftermathOf } from "./aftermath.ts";
import { done, StepFailure, step } from "./define.ts";

let world: ReturnType<typeof createTestEngine>;
beforeEach(() => {
  world = createTestEngine();
  insertUser(world.db);
});
afterEach(() => world.close());

const runs = { status: "running", dropletId: 5, ipAddress: "10.0.0.5" } as const;
const destroyed = { status: "destroyed", destroyedAt: 1, dropletId: null } as const;

/** What the page says of an operation of this kind that has one step, once that has failed or was cancelled. */
async function pageAfter(
  how: "failed" | "cancelled",
  kind: OperationKind,
  values: Parameters<typeof insertInstance>[1],
): Promise<string | null | undefined> {
  const { engine, db, clock } = world;
  const only = step("only", "Only", async ({ operation }) => {
    if (how === "failed") throw new StepFailure("It broke.", "");
    cancelOperation(engine, operation.id, "joe");
    return { ...done(), done: false, afterMs: 0 };
  });
  const { rescue, ...definition } = { ...registry[kind], steps: [only], undo: [] };
  engine.registry = { ...registry, [kind]: definition };
  const id = begin(engine, insertInstance(db, values), definition);
  await runToEnd(engine, id, (until) => {
    clock.now = Math.max(clock.now, until);
  });
  expect(operationOf(db, id).state).toBe(how);
  return operationViews(db, [operationOf(db, id)])[0]?.aftermath;
}

test("a cancelled backup of a running instance doesn't say that nothing costs money", async () => {
  expect(await pageAfter("cancelled", "backup", runs)).toBe(
    "The partial backup was deleted. The intranet and its other backups weren't affected.",
  );
});

test("a cancelled spawn does", async () => {
  expect(await pageAfter("cancelled", "spawn", { status: "spawning" })).toBe(
    "The droplet and the DNS record were removed. Nothing is left that costs money.",
  );
});

test("a failed destroy names the droplet's price, not Destroy as the way on", async () => {
  expect(await pageAfter("failed", "destroy", runs)).toBe(
    "As far as we know, the instance's droplet exists and costs $12.00 a month until it's destroyed.",
  );
});

test("a failed purge doesn't say that nothing is lost, nor that nothing costs money", async () => {
  expect(await pageAfter("failed", "purge", { ...destroyed, snapshotId: 7 })).toBe(
    "Anything already deleted is gone. Other snapshots and backups of this instance may remain and cost money.",
  );
});

test("an operation that runs or is done has no aftermath", () => {
  const id = begin(world.engine, insertInstance(world.db, runs), registry.backup);
  const view = () => operationViews(world.db, [operationOf(world.db, id)])[0]?.aftermath;
  expect(view()).toBeNull();
  world.db.update(operations).set({ state: "done" }).where(eq(operations.id, id)).run();
  expect(view()).toBeNull();
});

describe.each(Object.values(registry))("$kind", (definition) => {
  const instances = [
    { ...runs, dropletGoneAt: null, snapshotId: null, priceMonthlyCents: 1200 },
    { ...runs, dropletGoneAt: 1, snapshotId: 7, priceMonthlyCents: 1200 },
    {
      ...runs,
      status: "failed",
      dropletId: null,
      dropletGoneAt: null,
      snapshotId: null,
      priceMonthlyCents: 1200,
    },
  ] as const;
  const facts: JsonObject[] = [{}, { dropletId: 9 }, { createAskedAt: 1 }];
  const said = (state: "cancelled" | "failed", isStuck = false) =>
    instances.flatMap((instance) =>
      facts.map((known) => {
        const steps = [{ undo: isStuck, state: "failed" as const }];
        return aftermathOf(definition, { state, facts: known }, instance, steps) ?? "";
      }),
    );

  test("says of a failure only what is known, whatever there is", () => {
    for (const userMessage of [...said("failed"), ...said("failed", true)]) {
      expect(userMessage).toMatch(/^[A-Z].+\.$/);
      expect(userMessage).not.toMatch(/nothing is (lost|left)|costs nothing/i);
    }
  });

  test("says that nothing is left only if Cancel leaves no instance", () => {
    for (const userMessage of said("cancelled")) {
      expect(userMessage).toMatch(/^[A-Z].+\.$/);
      if (definition.status.cancelled !== "destroyed") expect(userMessage).not.toMatch(/is left that costs/);
    }
  });

  if (definition.rescue === undefined) return;
  test("says that the intranet may be down if going back has failed", () => {
    const userMessages = said("failed", true);
    if (definition.kind !== "test-restore")
      for (const one of userMessages) expect(one).toMatch("may be down");
    for (const one of said("failed")) expect(one).not.toMatch("may be down");
  });
});
