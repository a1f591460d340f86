import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { operations } from "#db/schema.ts";
import { cancelOperation } from "#server/operations/cancelAndRetry.ts";
import { advance } from "#server/operations/engine/advance.ts";
import { defineOperation, done, type Providers, skipped, step } from "#server/operations/engine/define.ts";
import { createWorker, leaseMs } from "#server/operations/engine/lease.ts";
import { registry } from "#server/operations/registry.ts";
import {
  begin,
  createTestEngine,
  insertInstance,
  only,
  operationOf,
  runToEnd,
} from "#server/operations/testing/testEngine.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./playbook.ts";

let world: ReturnType<typeof createTestEngine>;
let calls: string[];
beforeEach(() => {
  calls = [];
  world = createTestEngine();
});
afterEach(() => world.close());

const { rescue: _noWayBackByItself, ...edit } = registry["edit-variables"];
/** Changes something with a playbook; what has begun is put back. */
const definition = defineOperation<PlaybookFacts>({
  ...edit,
  facts: z.object(playbookFacts).partial(),
  steps: [playbookStep("change", "Change", { playbook: "reconfigure", vars: () => ({}) })],
  undo: [
    step("undo", "Put it back", async ({ facts }) => {
      if (facts.runs?.change === undefined) return skipped();
      calls.push("put back");
      return done();
    }),
  ],
});

function start(playbooks: Partial<PlaybookRunner>): string {
  const { engine, db } = world;
  engine.registry = { ...registry, "edit-variables": definition };
  engine.providers = only<Providers>("providers", {
    playbooks: only<PlaybookRunner>("playbooks", {
      cancelRun: async () => void calls.push("stop"),
      forgetRun: async () => {},
      ...playbooks,
    }),
  });
  const machine = { dropletId: 1, ipAddress: "127.0.0.9", hostKey: "ssh-ed25519 AAAA" };
  return begin(engine, insertInstance(db, machine), definition);
}
const toEnd = (id: string) =>
  runToEnd(world.engine, id, (until) => {
    world.clock.now = Math.max(world.clock.now, until);
  });

test.each(["while it is begun", "before it is first looked at"])(
  "a playbook whose worker dies %s is stopped by Cancel, and put back",
  async (when) => {
    const never = () => new Promise<never>(() => {});
    const begins = async () => void calls.push("begin");
    const id = start(
      when === "while it is begun" ? { ensureRun: never } : { ensureRun: begins, readRun: never },
    );
    void advance({ ...world.engine, worker: createWorker(), after: () => () => {} }, id);
    await new Promise((next) => setImmediate(next));
    cancelOperation(world.engine, id, "joe");
    world.clock.now += leaseMs;
    await toEnd(id);
    expect(calls.filter((call) => call !== "begin")).toEqual(["stop", "put back"]);
    expect(operationOf(world.db, id).state).toBe("cancelled");
  },
);

test("what a playbook says is masked by the secrets of every set, those put back included", async () => {
  const { engine, db } = world;
  const told: (readonly string[])[] = [];
  const id = start({
    ensureRun: async () => {},
    readRun: async (_key, cursor, secrets) => {
      told.push(secrets);
      return { events: [], cursor, state: "succeeded" };
    },
  });
  const secret = (value: string) => [{ name: "PASSWORD", value, secret: true, system: false }];
  engine.openVariables = (_instance, set) => secret(`password of set ${set}`);
  db.update(operations)
    .set({ facts: { ...operationOf(db, id).facts, variableSet: 3, previousSet: 2 } })
    .run();
  await toEnd(id);
  expect(told).toEqual([["password of set 3", "password of set 2", "password of set 1"]]);
});

test("one that never began is neither stopped nor put back", async () => {
  const id = start({});
  cancelOperation(world.engine, id, "joe");
  await toEnd(id);
  expect(calls).toEqual([]);
  expect(operationOf(world.db, id).state).toBe("cancelled");
});

test("it is forgotten only once its result is written down: a crash in between must not begin it anew", async () => {
  const id = start({
    ensureRun: async () => {},
    readRun: async () => ({ state: "succeeded", events: [], cursor: 1 }),
    forgetRun: async () => void calls.push(`forget, ${operationOf(world.db, id).state}`),
  });
  await toEnd(id);
  expect(calls).toEqual(["forget, done"]);
});

test("one that takes too long is stopped before it has failed", async () => {
  const id = start({
    ensureRun: async () => {},
    readRun: async () => ({ state: "running", events: [], cursor: 1 }),
    onNews: () => true,
  });
  await toEnd(id);
  expect(calls).toEqual(["stop"]);
  expect(operationOf(world.db, id).failure?.userMessage).toMatch(/45 minutes/);
});
