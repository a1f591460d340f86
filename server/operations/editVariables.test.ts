import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { write } from "#db/client.ts";
import { instances } from "#db/schema.ts";
import { editVariables } from "#server/instances/commands/editVariables.ts";
import { insertVariables, openVariables } from "#server/instances/variables.ts";
import { deriveKey } from "#server/secrets.ts";
import { cancelOperation } from "./cancelAndRetry.ts";
import type { Providers } from "./engine/define.ts";
import { operationOfRun } from "./steps/playbook.ts";
import { createTestPlaybooks } from "./testing/testBackups.ts";
import {
  createTestEngine,
  insertInstance,
  insertUser,
  only,
  operationOf,
  runToEnd,
} from "./testing/testEngine.ts";

/** An intranet that works with the variables it was reconfigured with last, and does not answer with a bad one. */
const variablesKey = deriveKey("a secret key of some length", "variables");
let world: ReturnType<typeof createTestEngine>;
let instanceId: string;
/** What the intranet works with. */
let inEffect: unknown;
let onReconfigured = (_operationId: string) => {};

beforeEach(() => {
  world = createTestEngine();
  insertUser(world.db);
  instanceId = insertInstance(world.db, {
    dropletId: 1,
    ipAddress: "127.0.0.9",
    hostKey: "ssh-ed25519 AAAA",
  });
  const greeting = { name: "GREETING", value: "Hello", secret: true };
  write(world.db, (tx) =>
    insertVariables(tx, variablesKey, { id: instanceId, variableSet: 1 }, [greeting], 1),
  );
  inEffect = { GREETING: "Hello" };
  onReconfigured = () => {};
  const { playbooks } = createTestPlaybooks();
  world.engine.openVariables = ({ id }, set) => openVariables(world.db, variablesKey, id, set);
  world.engine.providers = only<Providers>("providers", {
    playbooks: {
      ...playbooks,
      ensureRun: async (run) => {
        await playbooks.ensureRun(run);
        inEffect = run.vars.environment_variables;
        onReconfigured(operationOfRun(run.key));
      },
    },
    probe: {
      answer: async () =>
        JSON.stringify(inEffect).includes("BAD")
          ? { ok: false, ms: 1, userMessage: "Nothing listens there yet." }
          : { ok: true, status: 200, version: "2.14.0", ms: 5, userMessage: "It answers." },
      variablesInEffect: async (_url, variables) => {
        const wanted = Object.fromEntries(variables.map(({ name, value }) => [name, value]));
        return JSON.stringify(inEffect) === JSON.stringify(wanted) ? undefined : "Not with these yet.";
      },
    },
  });
});
afterEach(() => world.close());

/** Edits the one variable there is, to the end. */
async function edit(value: string) {
  const { engine, db, clock } = world;
  const variables = [{ name: "GREETING", value, secret: true }];
  const id = editVariables({ ...engine, variablesKey }, { instanceId, variables }, "joe");
  await runToEnd(engine, id, (until) => {
    clock.now = Math.max(clock.now, until);
  });
  return operationOf(db, id);
}
const row = () => world.db.select().from(instances).where(eq(instances.id, instanceId)).get();

test("an edit that works is in effect", async () => {
  expect(await edit("Hej")).toMatchObject({ state: "done" });
  expect(inEffect).toEqual({ GREETING: "Hej" });
  expect(row()).toMatchObject({ status: "running", variableSet: 2 });
});

test("the previous variables are put back if the intranet doesn't answer with the new ones", async () => {
  expect(await edit("BAD")).toMatchObject({ state: "failed" });
  expect(inEffect).toEqual({ GREETING: "Hello" });
  expect(row()).toMatchObject({ status: "running", variableSet: 1 });
});

test("they are put back if the edit is cancelled half way", async () => {
  onReconfigured = (operationId) => {
    onReconfigured = () => {};
    expect(inEffect).toEqual({ GREETING: "Hej" });
    cancelOperation(world.engine, operationId, "joe");
  };
  expect(await edit("Hej")).toMatchObject({ state: "cancelled" });
  expect(inEffect).toEqual({ GREETING: "Hello" });
  expect(row()).toMatchObject({ status: "running", variableSet: 1 });
});

test("an edit that is cancelled before it began changes nothing, and waits for nothing", async () => {
  const before = inEffect;
  const { probe } = world.engine.providers;
  let asked = 0;
  world.engine.providers.probe = {
    ...probe,
    answer: (...given) => {
      asked += 1;
      return probe.answer(...given);
    },
  };
  const variables = [{ name: "GREETING", value: "Hej", secret: true }];
  const id = editVariables({ ...world.engine, variablesKey }, { instanceId, variables }, "joe");
  cancelOperation(world.engine, id, "joe");
  await runToEnd(world.engine, id, () => {});
  expect(operationOf(world.db, id).state).toBe("cancelled");
  expect({ inEffect, asked }).toEqual({ inEffect: before, asked: 0 });
  expect(row()).toMatchObject({ status: "running", variableSet: 1 });
});
