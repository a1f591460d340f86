import { join } from "node:path";
import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { aliases, backups, instances } from "#db/schema.ts";
import { bringBack } from "#server/instances/commands/bringBack.ts";
import { changeAddress } from "#server/instances/commands/changeAddress.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { purgeInstance } from "#server/instances/commands/purgeInstance.ts";
import { createFolderStore } from "#server/providers/backups/folderStore.ts";
import { verifyArchive } from "#server/providers/backups/verify.ts";
import { cancelOperation } from "./cancelAndRetry.ts";
import { registry } from "./registry.ts";
import { createCloudWorld } from "./testing/testCloud.ts";
import { begin, insertInstance } from "./testing/testEngine.ts";

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const joe = "joe@intranet.localhost";
const press = (instanceId: string) =>
  destroyInstance(world.engine, { instanceId, confirm: world.row(instanceId).slug }, joe);

test("an instance whose droplet vanished comes back from its newest good backup", async () => {
  const { cloud, play, ran, row, spawned, web } = world;
  const id = await spawned();
  world.backedUp(id);
  cloud.droplets = [];
  await play(press(id));
  ran.length = 0;
  const operation = await play(await bringBack({ ...web, ...world.engine }, { instanceId: id }, joe));
  expect(operation).toMatchObject({ state: "done", facts: { source: { key: "k.tar.gz" } } });
  const { ipAddress: address, status, version } = row(id);
  expect({ status, version }).toEqual({ status: "running", version: "2.12.0" });
  expect(ran).toEqual([`provision on ${address}`, `restore on ${address}`]);
  expect(cloud.records.map(({ data }) => data)).toEqual([address]);
});

test("an older snapshot does not win over the backup of a droplet that vanished since", async () => {
  const { cloud, play, spawned, web } = world;
  const id = await spawned();
  await play(press(id));
  const first = await play(await bringBack(web, { instanceId: id }, joe));
  expect(first.facts.imageId).toBe(cloud.snapshots[0]?.id);
  world.backedUp(id);
  cloud.droplets = [];
  await play(press(id));
  const second = await bringBack(web, { instanceId: id }, joe);
  expect(world.newestOperation(id)).toMatchObject({ id: second, facts: { source: { key: "k.tar.gz" } } });
  expect(world.newestOperation(id)?.facts.imageId).toBeUndefined();
});

test("what a failed upgrade has left is not what comes back, but what it went back to", async () => {
  const { cloud, db, engine, play, spawned, web } = world;
  const id = await spawned();
  const before = world.backedUp(id);
  const row = db.select().from(backups).where(eq(backups.id, before)).get();
  if (row === undefined) throw new Error("no backup");
  db.insert(backups)
    .values({ ...row, id: `${before}-0-rescue`, sequence: row.sequence + 1, version: "2.14.0" })
    .run();
  cloud.droplets = [];
  await play(press(id));
  const operation = await play(await bringBack({ ...web, ...engine }, { instanceId: id }, joe));
  expect(operation).toMatchObject({ state: "done", facts: { source: { id: before, version: "2.12.0" } } });
});

test("the snapshot of a droplet that never got its data back does not win over the backup", async () => {
  const { cloud, engine, play, spawned, web } = world;
  const id = await spawned();
  const backupId = world.backedUp(id);
  cloud.droplets = [];
  await play(press(id));
  const { playbooks } = engine.providers;
  const readRun: typeof playbooks.readRun = async (key, ...rest) =>
    key.includes("-put-back-") ? { state: "failed", events: [], cursor: 1 } : playbooks.readRun(key, ...rest);
  engine.providers = { ...engine.providers, playbooks: { ...playbooks, readRun } };
  expect((await play(await bringBack(web, { instanceId: id }, joe))).state).toBe("failed");
  expect((await play(press(id))).state).toBe("done");
  expect(cloud.snapshots).toHaveLength(1);
  engine.providers = { ...engine.providers, playbooks };
  const second = await play(await bringBack(web, { instanceId: id }, joe));
  expect(second).toMatchObject({ state: "done", facts: { source: { id: backupId } } });
  expect(second.facts.imageId).toBeUndefined();
});

test("without a snapshot or a good backup there is nothing to bring back", async () => {
  const { cloud, play, spawned, web } = world;
  const id = await spawned();
  cloud.droplets = [];
  await play(press(id));
  await expect(bringBack(web, { instanceId: id }, joe)).rejects.toThrow(/no snapshot and no good backup/);
});

test("while it is removed for good it can't be brought back, in a sentence", async () => {
  const { engine, play, row, spawned, web } = world;
  const id = await spawned();
  await play(press(id));
  purgeInstance(engine, { instanceId: id, confirm: row(id).slug }, joe);
  await expect(bringBack(web, { instanceId: id }, joe)).rejects.toThrow(
    "Available once “Remove for good” has finished.",
  );
});

describe("from a snapshot", () => {
  /** What the playbooks have told each droplet last, by its address. */
  function told(): Map<string, Record<string, unknown>> {
    const vars = new Map<string, Record<string, unknown>>();
    const { playbooks } = world.engine.providers;
    const ensureRun: typeof playbooks.ensureRun = async (run) => {
      vars.set(run.host.address, run.vars);
      return playbooks.ensureRun(run);
    };
    world.engine.providers = { ...world.engine.providers, playbooks: { ...playbooks, ensureRun } };
    return vars;
  }
  const toldTo = (vars: Map<string, Record<string, unknown>>, id: string) =>
    vars.get(world.row(id).ipAddress ?? "");

  test("of a droplet whose move had failed, it works with its own address", async () => {
    const { engine, play, row, spawned, web } = world;
    const id = await spawned({ slug: "acme" });
    const vars = told();
    const { probe } = engine.providers;
    const answer: typeof probe.answer = async (url, options) =>
      url.includes("moved") ? { ok: false, ms: 1, userMessage: "Nothing." } : probe.answer(url, options);
    engine.providers = { ...engine.providers, probe: { ...probe, answer } };
    const { domain } = row(id);
    const move = { instanceId: id, slug: "moved", domain, redirectDays: 30 };
    expect((await play(await changeAddress({ ...web, ...engine }, move, joe))).state).toBe("failed");
    await play(press(id));
    expect((await play(await bringBack({ ...web, ...engine }, { instanceId: id }, joe))).state).toBe("done");
    expect(toldTo(vars, id)).toMatchObject({ url: `http://acme.${domain}`, slug: "acme", redirect_from: [] });
  });

  /** An instance whose upgrade has failed, as have the playbooks whose keys this matches. */
  async function stuckUpgrade(failing: RegExp): Promise<string> {
    const { engine, folder, play, spawned } = world;
    const id = await spawned({ version: "2.9.0" });
    engine.providers = {
      ...engine.providers,
      backups: createFolderStore(join(folder, "backups")),
      verifyArchive,
    };
    const { playbooks } = engine.providers;
    const readRun: typeof playbooks.readRun = async (key, ...rest) =>
      failing.test(key) ? { state: "failed", events: [], cursor: 1 } : playbooks.readRun(key, ...rest);
    engine.providers = { ...engine.providers, playbooks: { ...playbooks, readRun } };
    const upgrade = { version: "2.14.0", previousVersion: "2.9.0" };
    expect((await play(begin(engine, id, registry.upgrade, upgrade))).state).toBe("failed");
    return id;
  }

  test("after an upgrade whose rollback failed, the intranet runs the version its page shows", async () => {
    const { engine, play, row, web } = world;
    const id = await stuckUpgrade(/-(rescue-)?install-/);
    // The snapshot holds the version that was installed last, perhaps only half of it.
    const vars = told();
    const { probe } = engine.providers;
    const installed = () => String(toldTo(vars, id)?.version ?? "a half");
    const answer: typeof probe.answer = async (url, options) => ({
      ...(await probe.answer(url, options)),
      version: installed(),
    });
    await play(press(id));
    engine.providers = { ...engine.providers, probe: { ...probe, answer } };
    world.ran.length = 0;
    expect((await play(await bringBack({ ...web, ...engine }, { instanceId: id }, joe))).state).toBe("done");
    expect(world.ran).toEqual([`provision on ${row(id).ipAddress}`]);
    expect(installed()).toBe(row(id).version);
    expect(row(id).version).toBe("2.14.0");
  });

  test("after an upgrade whose rollback failed while it put the data back, it isn't installed over half of them", async () => {
    const { engine, play, ran, web } = world;
    const id = await stuckUpgrade(/-(install|rescue-data)-/);
    await play(press(id));
    ran.length = 0;
    const failed = await play(await bringBack({ ...web, ...engine }, { instanceId: id }, joe));
    expect(failed).toMatchObject({
      state: "failed",
      failure: { userMessage: expect.stringMatching(/data may be incomplete/) },
    });
    expect(ran).toEqual([]);
  });

  test("of before its variables were edited, it works with the new ones", async () => {
    const { cloud, db, engine, play, spawned, web } = world;
    engine.openVariables = ({ variableSet }, set = variableSet) => [
      { name: "WELCOME_TEXT", value: `set ${set}`, secret: false },
    ];
    const id = await spawned();
    const vars = told();
    await play(press(id));
    await play(await bringBack({ ...web, ...engine }, { instanceId: id }, joe));
    db.update(instances).set({ variableSet: 2 }).where(eq(instances.id, id)).run();
    cloud.droplets = [];
    await play(press(id));
    expect((await play(await bringBack({ ...web, ...engine }, { instanceId: id }, joe))).state).toBe("done");
    expect(toldTo(vars, id)).toMatchObject({ environment_variables: { WELCOME_TEXT: "set 2" } });
  });
});

describe("an earlier address that redirected to it", () => {
  const day = 86_400_000;
  /** A destroyed instance that had moved, with its old address redirecting for 30 days. */
  async function destroyed(): Promise<string> {
    const { engine, play, row, spawned, web } = world;
    const id = await spawned({ slug: "acme" });
    const move = { instanceId: id, slug: "moved", domain: row(id).domain, redirectDays: 30 };
    expect((await play(await changeAddress({ ...web, ...engine }, move, joe))).state).toBe("done");
    await play(press(id));
    expect({ records: world.cloud.records, redirects: redirects() }).toEqual({ records: [], redirects: [] });
    return id;
  }
  const redirects = () =>
    world.db
      .select()
      .from(aliases)
      .all()
      .map(({ slug, role }) => `${slug}: ${role}`);
  const names = () => world.cloud.records.map(({ name }) => name).sort();
  const back = async (instanceId: string, slug?: string) =>
    world.play(await bringBack({ ...world.web, ...world.engine }, { instanceId, slug }, joe));

  test("redirects again while its time isn't over, also after a cancelled attempt", async () => {
    const { engine, cloud, play, web } = world;
    const id = await destroyed();
    const first = await bringBack({ ...web, ...engine }, { instanceId: id }, joe);
    await play(first, () => cloud.records.length > 0);
    cancelOperation(engine, first, joe);
    expect((await play(first)).state).toBe("cancelled");
    expect({ names: names(), redirects: redirects() }).toEqual({ names: [], redirects: [] });
    expect((await back(id)).state).toBe("done");
    expect({ names: names(), redirects: redirects() }).toEqual({
      names: ["acme", "moved"],
      redirects: ["acme: redirect"],
    });
  });

  test("doesn't once its time is over", async () => {
    const id = await destroyed();
    world.clock.now += 31 * day;
    expect((await back(id)).state).toBe("done");
    expect({ names: names(), redirects: redirects() }).toEqual({ names: ["moved"], redirects: [] });
  });

  test("becomes its own if it comes back at that address", async () => {
    const id = await destroyed();
    expect((await back(id, "acme")).state).toBe("done");
    expect({ names: names(), redirects: redirects() }).toEqual({ names: ["acme"], redirects: [] });
  });

  test("doesn't once it has come back without it and been destroyed again", async () => {
    const id = await destroyed();
    expect((await back(id, "acme")).state).toBe("done");
    await world.play(press(id));
    expect((await back(id, "third")).state).toBe("done");
    expect({ names: names(), redirects: redirects() }).toEqual({ names: ["third"], redirects: [] });
  });

  test("doesn't if another instance has taken it", async () => {
    const id = await destroyed();
    insertInstance(world.db, { slug: "acme" });
    expect((await back(id)).state).toBe("done");
    expect({ names: names(), redirects: redirects() }).toEqual({ names: ["moved"], redirects: [] });
  });

  test("doesn't if a foreign DNS record uses it", async () => {
    const id = await destroyed();
    world.cloud.addRecord("acme", "198.51.100.7");
    expect((await back(id)).state).toBe("done");
    expect(redirects()).toEqual([]);
  });
});

test("cancelled, it has the address from before again", async () => {
  const { cloud, engine, play, row, spawned, web } = world;
  const id = await spawned({ slug: "acme" });
  await play(press(id));
  const operationId = await bringBack(web, { instanceId: id, slug: "acme-2" }, joe);
  await play(operationId, () => cloud.records.length > 0);
  cancelOperation(engine, operationId, joe);
  expect((await play(operationId)).state).toBe("cancelled");
  expect(row(id)).toMatchObject({ status: "destroyed", slug: "acme", dropletId: null });
  expect({ droplets: cloud.droplets, records: cloud.records }).toEqual({ droplets: [], records: [] });
});
