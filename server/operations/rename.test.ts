import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { listNames } from "#db/listOrder.ts";
import { instances } from "#db/schema.ts";
import { renameInstance } from "#server/instances/commands/renameInstance.ts";
import { renameInput } from "#server/instances/inputs.ts";
import { cancelOperation } from "./cancelAndRetry.ts";
import type { Providers } from "./engine/define.ts";
import { createTestPlaybooks } from "./testing/testBackups.ts";
import {
  createTestEngine,
  insertInstance,
  insertUser,
  only,
  operationOf,
  runToEnd,
} from "./testing/testEngine.ts";

/** An intranet that shows the company name it was last configured with, and doesn't answer with a bad one. */
let world: ReturnType<typeof createTestEngine>;
let instanceId: string;
let shown: { company: unknown; contact: unknown };
let onReconfigured = () => {};

const before = { company: "Acme", contactName: "Petra Lindqvist", contactEmail: "petra@acme.example" };
const after = { company: "Acme & Sons", contactName: "Ola Berg", contactEmail: "ola@acme.example" };

beforeEach(() => {
  world = createTestEngine();
  insertUser(world.db);
  const ran = { dropletId: 1, ipAddress: "127.0.0.9", hostKey: "ssh-ed25519 AAAA", answeredAt: 1 };
  instanceId = insertInstance(world.db, { ...ran, ...before });
  shown = { company: before.company, contact: before.contactEmail };
  onReconfigured = () => {};
  const { playbooks } = createTestPlaybooks();
  world.engine.providers = only<Providers>("providers", {
    playbooks: {
      ...playbooks,
      ensureRun: async (run) => {
        await playbooks.ensureRun(run);
        shown = { company: run.vars.company, contact: run.vars.contact_email };
        onReconfigured();
      },
    },
    probe: {
      answer: async () =>
        shown.company === "BAD"
          ? { ok: false, ms: 1, userMessage: "Nothing listens there yet." }
          : { ok: true, status: 200, version: "2.14.0", ms: 5, userMessage: "It answers." },
      variablesInEffect: async (_url, variables) =>
        variables.some(({ name, value }) => name === "COMPANY" && value === shown.company)
          ? undefined
          : "Not with this name yet.",
    },
  });
});
afterEach(() => world.close());

const begin = (names: typeof after) => renameInstance(world.engine, { instanceId, ...names }, "joe");
async function play(id: string) {
  const { engine, db, clock } = world;
  await runToEnd(engine, id, (until) => {
    clock.now = Math.max(clock.now, until);
  });
  return operationOf(db, id);
}
const row = () => world.db.select().from(instances).where(eq(instances.id, instanceId)).get();

test("a rename reaches the intranet, and then the row", async () => {
  const id = begin(after);
  expect(row()).toMatchObject(before);
  expect(await play(id)).toMatchObject({ state: "done" });
  expect(shown).toEqual({ company: after.company, contact: after.contactEmail });
  expect(row()).toMatchObject({ ...after, status: "running" });
});

test("the list finds and sorts the instance by its new name", async () => {
  await play(begin({ ...after, company: "Zoë 9" }));
  expect(row()).toMatchObject(listNames("Zoë 9"));
});

test("a COMPANY among its own variables is what the intranet is to show", async () => {
  const own = { name: "COMPANY", value: "Acme Intranet", secret: false };
  world.engine.openVariables = () => [own];
  const asked: unknown[] = [];
  const { probe } = world.engine.providers;
  world.engine.providers.probe = {
    ...probe,
    variablesInEffect: async (_url, variables) => {
      asked.push(variables);
      return undefined;
    },
  };
  expect(await play(begin(after))).toMatchObject({ state: "done" });
  expect(asked).toEqual([[own]]);
});

test("the previous names are put back if the intranet doesn't answer with the new ones", async () => {
  expect(await play(begin({ ...after, company: "BAD" }))).toMatchObject({ state: "failed" });
  expect(shown).toEqual({ company: before.company, contact: before.contactEmail });
  expect(row()).toMatchObject({ ...before, status: "running" });
});

test("they are put back if the rename is cancelled half way", async () => {
  const id = begin(after);
  onReconfigured = () => {
    onReconfigured = () => {};
    cancelOperation(world.engine, id, "joe");
  };
  expect(await play(id)).toMatchObject({ state: "cancelled" });
  expect(shown).toEqual({ company: before.company, contact: before.contactEmail });
  expect(row()).toMatchObject({ ...before, status: "running" });
});

test("unchanged names are refused beside the field, and a repeated request returns the running operation", () => {
  expect(() => begin(before)).toThrow("It already has this company name and contact.");
  const id = begin(after);
  expect(begin(after)).toBe(id);
  expect(() => begin({ ...after, company: "Other" })).toThrow(/Available once/);
});

test("the contact alone can be changed", async () => {
  const names = { ...before, contactName: after.contactName };
  expect(await play(begin(names))).toMatchObject({ state: "done" });
  expect(row()).toMatchObject(names);
});

test("each invalid field gets an error of its own", () => {
  const wrong = renameInput.safeParse({
    instanceId,
    company: " ",
    contactName: "",
    contactEmail: "petra@acme",
  });
  expect(wrong.error?.issues.map(({ path }) => path.join("."))).toEqual([
    "company",
    "contactName",
    "contactEmail",
  ]);
});
