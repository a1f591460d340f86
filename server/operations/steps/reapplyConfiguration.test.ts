import { createSecretKey, randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { changeAddress } from "#server/instances/commands/changeAddress.ts";
import { editVariables } from "#server/instances/commands/editVariables.ts";
import { renameInstance } from "#server/instances/commands/renameInstance.ts";
import { setPower } from "#server/instances/commands/setPower.ts";
import { cancelOperation } from "#server/operations/cancelAndRetry.ts";
import { registry } from "#server/operations/registry.ts";
import { createCloudWorld } from "#server/operations/testing/testCloud.ts";
import { begin } from "#server/operations/testing/testEngine.ts";

/** Intranets whose playbooks fail for as long as a test wants it, and what the intranet was told last. */
const variablesKey = createSecretKey(randomBytes(32));
const joe = "joe@intranet.localhost";
let world: ReturnType<typeof createCloudWorld>;
let isBroken: boolean;
let told: Record<string, unknown>;

beforeEach(() => {
  world = createCloudWorld();
  isBroken = false;
  told = {};
  const { playbooks } = world.engine.providers;
  world.engine.openVariables = (_instance, set) => [{ name: "PASSWORD", value: `set ${set}`, secret: false }];
  world.engine.providers = {
    ...world.engine.providers,
    playbooks: {
      ...playbooks,
      ensureRun: async (run) => {
        if (run.playbook === "reconfigure") told = run.vars;
        return playbooks.ensureRun(run);
      },
      readRun: async (...args) =>
        isBroken ? { state: "failed", events: [], cursor: 1 } : playbooks.readRun(...args),
    },
  };
});
afterEach(() => world.close());

/** An instance whose edit has failed, as its way back has. */
async function stuckEdit(): Promise<string> {
  const { engine, play, spawned, row } = world;
  const id = await spawned();
  isBroken = true;
  const variables = [{ name: "PASSWORD", value: "new", secret: false }];
  const edit = editVariables({ ...engine, variablesKey }, { instanceId: id, variables }, joe);
  expect(await play(edit)).toMatchObject({ state: "failed" });
  isBroken = false;
  told = {};
  expect(row(id)).toMatchObject({ status: "failed", variableSet: 1 });
  return id;
}
const power = (instanceId: string, to: "on" | "off" | "restart") =>
  world.play(setPower(world.engine, { instanceId, power: to }, joe));
const old = { environment_variables: { PASSWORD: "set 1" } };

test("an instance whose edit got stuck is called running only with the variables its row says", async () => {
  const id = await stuckEdit();
  expect((await power(id, "restart")).state).toBe("done");
  expect(told).toMatchObject(old);
  expect(world.row(id)).toMatchObject({ status: "running", variableSet: 1 });
});

test("while they can't be put in effect, it isn't", async () => {
  const id = await stuckEdit();
  isBroken = true;
  expect((await power(id, "restart")).state).toBe("failed");
  expect(world.row(id).status).toBe("failed");
});

test("what lies between settles nothing: off and on again", async () => {
  const id = await stuckEdit();
  expect((await power(id, "off")).state).toBe("done");
  expect(told).toEqual({});
  expect((await power(id, "on")).state).toBe("done");
  expect(told).toMatchObject(old);
});

test("a resize that goes back puts them in effect as well", async () => {
  const { cloud, engine, play } = world;
  const id = await stuckEdit();
  const size = { slug: "s-2vcpu-4gb", priceMonthlyCents: 2400 };
  const previousSize = { slug: "s-1vcpu-2gb", priceMonthlyCents: 1200 };
  const resize = begin(engine, id, registry.resize, { size, previousSize });
  await play(resize, () => cloud.droplets[0]?.status === "off");
  cancelOperation(engine, resize, joe);
  expect((await play(resize)).state).toBe("cancelled");
  expect(told).toMatchObject(old);
});

test("an instance whose move has failed is given its own address again", async () => {
  const { engine, play, row, spawned, web } = world;
  const id = await spawned({ slug: "acme" });
  isBroken = true;
  const { domain } = row(id);
  const move = { instanceId: id, slug: "moved", domain, redirectDays: 30 };
  expect((await play(await changeAddress({ ...web, ...engine }, move, joe))).state).toBe("failed");
  isBroken = false;
  expect((await power(id, "restart")).state).toBe("done");
  expect(told).toMatchObject({ url: `http://acme.${domain}`, slug: "acme" });
});

test("a move that is cancelled before it changed anything calls no intranet running that isn't", async () => {
  const { engine, play, row, spawned, web } = world;
  const id = await spawned();
  isBroken = true;
  const versions = { version: "2.14.0", previousVersion: "2.13.0" };
  expect((await play(begin(engine, id, registry.upgrade, versions))).state).toBe("failed");
  isBroken = false;
  const move = { instanceId: id, slug: "moved", domain: row(id).domain, redirectDays: 30 };
  const operationId = await changeAddress({ ...web, ...engine }, move, joe);
  cancelOperation(engine, operationId, joe);
  expect((await play(operationId)).state).toBe("cancelled");
  // The upgrade's rollback failed before it started the intranet again.
  expect(row(id).status).toBe("failed");
});

const renamed = (instanceId: string) => {
  const names = { company: "Renamed", contactName: "Ola Berg", contactEmail: "ola@acme.example" };
  return world.play(renameInstance(world.engine, { instanceId, ...names }, joe));
};

test("an instance whose rename got stuck is given its own name again", async () => {
  const id = await world.spawned();
  isBroken = true;
  expect((await renamed(id)).state).toBe("failed");
  isBroken = false;
  told = {};
  expect((await power(id, "restart")).state).toBe("done");
  expect(told).toMatchObject({ company: world.row(id).company });
});

test("a rename that is done puts right what was stuck before it", async () => {
  const id = await stuckEdit();
  expect((await renamed(id)).state).toBe("done");
  expect(told).toMatchObject({ ...old, company: "Renamed" });
  expect(world.stepOf((await power(id, "restart")).id, "settle")).toBeUndefined();
});

test("an instance whose upgrade's rollback failed gets its row's version, address and variables", async () => {
  const { engine, play, ran, row, spawned, stepOf } = world;
  const id = await spawned();
  isBroken = true;
  const versions = { version: "2.14.0", previousVersion: "2.13.0" };
  expect((await play(begin(engine, id, registry.upgrade, versions))).state).toBe("failed");
  isBroken = false;
  ran.length = 0;
  const restart = await power(id, "restart");
  expect(restart.state).toBe("done");
  expect(ran).toEqual([`provision on ${row(id).ipAddress}`]);
  expect(stepOf(restart.id, "settle")).toBeUndefined();
  // Its upgrade hadn't started to install anything.
  expect(row(id)).toMatchObject({ status: "running", version: "2.13.0" });
});

test("where an edit got stuck as well, the installation alone puts both right", async () => {
  const { engine, play, ran, row } = world;
  const id = await stuckEdit();
  isBroken = true;
  const versions = { version: "2.14.0", previousVersion: "2.13.0" };
  expect((await play(begin(engine, id, registry.upgrade, versions))).state).toBe("failed");
  isBroken = false;
  ran.length = 0;
  expect((await power(id, "restart")).state).toBe("done");
  expect(ran).toEqual([`provision on ${row(id).ipAddress}`]);
});

test("what is stuck in one instance concerns no other", async () => {
  const { spawned, stepOf } = world;
  const other = await spawned();
  const id = await stuckEdit();
  expect(stepOf((await power(other, "restart")).id, "settle")).toBeUndefined();
  expect(stepOf((await power(id, "restart")).id, "settle")).toMatchObject({ state: "done" });
});

test("an edit that failed and was put back leaves nothing to do", async () => {
  const { engine, play, spawned, stepOf } = world;
  const id = await spawned();
  const { playbooks } = engine.providers;
  const readRun: typeof playbooks.readRun = async (key, ...rest) =>
    /^\w+-reconfigure-/.test(key)
      ? { state: "failed", events: [], cursor: 1 }
      : playbooks.readRun(key, ...rest);
  engine.providers = { ...engine.providers, playbooks: { ...playbooks, readRun } };
  const variables = [{ name: "PASSWORD", value: "new", secret: false }];
  const edit = editVariables({ ...engine, variablesKey }, { instanceId: id, variables }, joe);
  expect((await play(edit)).state).toBe("failed");
  expect(stepOf(edit, "rescue-reconfigure")).toMatchObject({ state: "done" });
  expect(stepOf((await power(id, "restart")).id, "settle")).toBeUndefined();
});

test("once that is done, and where nothing has failed, no operation has the step", async () => {
  const { spawned, stepOf } = world;
  const well = await power(await spawned(), "restart");
  expect(stepOf(well.id, "settle")).toBeUndefined();
  const id = await stuckEdit();
  expect(stepOf((await power(id, "restart")).id, "settle")).toMatchObject({ state: "done" });
  expect(stepOf((await power(id, "restart")).id, "settle")).toBeUndefined();
});
