import { randomUUID } from "node:crypto";
import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { aliases, audit, backups, instances, operations } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import { insertVariables, openVariables } from "#server/instances/variables.ts";
import { insertInstance } from "#server/operations/testing/testEngine.ts";

import { createTestWeb, spawnWish } from "#server/testing/testWeb.ts";

let world: Awaited<ReturnType<typeof createTestWeb>>;
let joe: ReturnType<typeof world.caller>;
beforeEach(async () => {
  world = await createTestWeb();
  joe = world.caller();
});
afterEach(() => world.close());

const ran = { answeredAt: 1, hostKey: "ssh-ed25519 AAAA", address: "127.0.0.9", dropletId: 1 };
const rowOf = (id: string) => world.db.select().from(instances).where(eq(instances.id, id)).get();
const factsOf = (id: string) => world.db.select().from(operations).where(eq(operations.id, id)).get()?.facts;
const begun = () => world.db.select().from(operations).all();
const refusedBeside = (fields: Record<string, unknown>) => ({ cause: expect.objectContaining({ fields }) });

function addBackup(instanceId: string, state: "good" | "failed" = "good"): string {
  const id = newId();
  world.db
    .insert(backups)
    .values({
      ...{ id, instanceId, state, operationId: id, reason: "manual", key: `${id}.tar.gz`, version: "2.14.0" },
      ...{ createdAt: 1, takenAt: 1, verifiedAt: 1, bytes: 1, sha256: "0" },
      contents: { files: 1, bytes: 1, tree: "0", counts: {} },
    })
    .run();
  return id;
}

test("twenty at once: one confirmation, one batch, an operation for each", async () => {
  const ids = Array.from({ length: 20 }, () => insertInstance(world.db, ran));
  const all = await joe.instances.inBulk({ action: "backUp", instanceIds: ids });
  expect(all).toMatchObject({ begun: 20, refused: [] });
  expect(begun().map(({ batchId, kind }) => ({ batchId, kind }))).toEqual(
    ids.map(() => ({ batchId: all.batchId, kind: "backup" })),
  );

  world.db.update(operations).set({ state: "done" }).run();
  world.db.update(instances).set({ status: "running" }).run();
  const destroy = { action: "destroy" as const, instanceIds: ids };
  for (const confirm of [undefined, 19, 21])
    await expect(joe.instances.inBulk({ ...destroy, confirm })).rejects.toMatchObject(
      refusedBeside({ confirm: "Type 20 to confirm." }),
    );
  expect(begun()).toHaveLength(20);
  expect(await joe.instances.inBulk({ ...destroy, confirm: 20 })).toMatchObject({ begun: 20, refused: [] });
  expect(begun().filter(({ kind }) => kind === "destroy")).toHaveLength(20);
  const first = await joe.instances.batch({ batchId: all.batchId });
  expect(first.instances.map((row) => row.operation?.kind)).toEqual(ids.map(() => "backup"));
});

test("what cannot be destroyed is named, and the others go on", async () => {
  const free = insertInstance(world.db, ran);
  const kept = insertInstance(world.db, { ...ran, company: "Kept", isProtected: true });
  const done = await joe.instances.inBulk({ action: "destroy", instanceIds: [free, kept], confirm: 2 });
  expect(done).toMatchObject({ begun: 1, refused: [{ company: "Kept" }] });
  expect(done.refused[0]?.userMessage).toContain("protected");
});

test("what is backed up already is not counted for another batch", async () => {
  const instanceId = insertInstance(world.db, { ...ran, company: "Busy" });
  await joe.backups.backUp({ instanceId });
  const all = await joe.instances.inBulk({ action: "backUp", instanceIds: [instanceId] });
  expect(all).toMatchObject({ begun: 0, refused: [{ company: "Busy" }] });
});

test("what got another droplet that hasn't shown its host key has nothing to back up", async () => {
  const id = insertInstance(world.db, { ...ran, status: "failed", hostKey: null });
  await expect(joe.backups.backUp({ instanceId: id })).rejects.toThrow(/once it has run/);
  world.db.update(instances).set({ hostKey: ran.hostKey }).run();
  await expect(joe.backups.backUp({ instanceId: id })).resolves.toBeDefined();
});

test("a protected instance cannot be destroyed until protection is removed, and both are recorded", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme" });
  await joe.instances.protect({ instanceId, isProtected: true });
  await expect(joe.instances.destroy({ instanceId, confirm: "acme" })).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
  });
  await joe.instances.protect({ instanceId, isProtected: false });
  await joe.instances.destroy({ instanceId, confirm: "acme" });
  expect(
    world.db
      .select({ what: audit.what })
      .from(audit)
      .all()
      .map(({ what }) => what),
  ).toEqual([
    "added joe@example.org",
    "protected Acme Bakery",
    "removed protection from Acme Bakery",
    "destroyed Acme Bakery",
  ]);
});

test("a destroy that failed is not retried on an instance that was protected since", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme" });
  const { operationId } = await joe.instances.destroy({ instanceId, confirm: "acme" });
  world.db.update(operations).set({ state: "failed" }).run();
  world.db.update(instances).set({ status: "failed" }).run();
  await joe.instances.protect({ instanceId, isProtected: true });
  const shown = async () => {
    const { instance } = await joe.instances.get({ slug: "acme" });
    const { canRetry, cancelRefusal } = instance.operations[0] ?? {};
    return { canRetry, cancelRefusal };
  };
  expect(await shown()).toEqual({ canRetry: false, cancelRefusal: null });
  await expect(joe.operations.retry({ operationId })).rejects.toThrow(/protected/);
  expect(begun()).toMatchObject([{ state: "failed" }]);
  await joe.instances.protect({ instanceId, isProtected: false });
  expect(await shown()).toEqual({ canRetry: true, cancelRefusal: null });
  await joe.operations.retry({ operationId });
});

test("a cancelled destroy goes on with its way back, also of an instance that was protected since", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme" });
  const { operationId } = await joe.instances.destroy({ instanceId, confirm: "acme" });
  await joe.operations.cancel({ operationId });
  world.db.update(operations).set({ state: "failed" }).run();
  world.db.update(instances).set({ status: "failed" }).run();
  await joe.instances.protect({ instanceId, isProtected: true });
  await joe.operations.retry({ operationId });
  expect(begun()).toMatchObject([{ state: "running" }]);
});

test("protection can't be turned on while the instance is being destroyed", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme" });
  await joe.instances.destroy({ instanceId, confirm: "acme" });
  await expect(joe.instances.protect({ instanceId, isProtected: true })).rejects.toThrow(/being destroyed/);
  expect(rowOf(instanceId)).toMatchObject({ isProtected: false });
});

test("a press while the same is being cancelled is told to wait, and not taken for the first one", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme", company: "Acme" });
  const destroy = () => joe.instances.destroy({ instanceId, confirm: "acme" });
  const { operationId } = await destroy();
  expect(await destroy()).toEqual({ operationId });
  await joe.operations.cancel({ operationId });
  await expect(destroy()).rejects.toMatchObject({ code: "PRECONDITION_FAILED" });
  const all = await joe.instances.inBulk({ action: "destroy", instanceIds: [instanceId], confirm: 1 });
  expect(all).toMatchObject({ begun: 0, refused: [{ company: "Acme" }] });
});

test("the same press twice is one operation; another wish meanwhile is told to wait", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme" });
  const move = { instanceId, slug: "moved", domain: "intranet.localhost", redirectDays: 30 };
  const first = await joe.instances.changeAddress(move);
  expect(await joe.instances.changeAddress(move)).toEqual(first);
  await expect(joe.instances.changeAddress({ ...move, slug: "elsewhere" })).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
  });
  expect(begun()).toHaveLength(1);
});

test("an address that is taken, now or soon, is refused with one that is free", async () => {
  const [mover, other] = [insertInstance(world.db, ran), insertInstance(world.db, { ...ran, slug: "acme" })];
  const move = { instanceId: mover, slug: "acme", domain: "intranet.localhost", redirectDays: 0 };
  const taken = refusedBeside({ slug: expect.stringContaining("acme-2") });
  await expect(joe.instances.changeAddress(move)).rejects.toMatchObject(taken);
  world.db.update(instances).set({ slug: "other" }).where(eq(instances.id, other)).run();
  world.db
    .insert(aliases)
    .values({
      ...{ id: newId(), instanceId: other, slug: "acme" },
      domain: "intranet.localhost",
      role: "redirect",
    })
    .run();
  await expect(joe.instances.changeAddress(move)).rejects.toMatchObject(taken);
  await expect(
    joe.instances.changeAddress({ ...move, slug: rowOf(mover)?.slug ?? "" }),
  ).rejects.toMatchObject(refusedBeside({ slug: "It already has this address. Choose another one." }));
  expect(begun()).toEqual([]);
});

test("what is destroyed comes back at its address, or at another when that is taken", async () => {
  const gone = { ...ran, status: "destroyed" as const, destroyedAt: 5, snapshotId: 7, snapshotAt: 4 };
  const instanceId = insertInstance(world.db, { ...gone, slug: "acme" });
  const taker = insertInstance(world.db, { slug: "acme" });
  await expect(joe.instances.bringBack({ instanceId })).rejects.toMatchObject(
    refusedBeside({ slug: expect.stringContaining("acme-2") }),
  );
  await expect(joe.instances.bringBack({ instanceId, slug: "Not A Slug" })).rejects.toMatchObject({
    code: "BAD_REQUEST",
  });
  const { operationId } = await joe.instances.bringBack({ instanceId, slug: "acme-2" });
  expect(rowOf(instanceId)).toMatchObject({ slug: "acme-2", destroyedAt: null, dropletId: null });
  expect(factsOf(operationId)).toMatchObject({ imageId: 7, previousSlug: "acme" });
  expect(rowOf(taker)).toMatchObject({ slug: "acme" });
});

test("variables: a new set with the secrets that were kept, and the one before can return", async () => {
  const instanceId = insertInstance(world.db, ran);
  const owner = { id: instanceId, variableSet: 1 };
  insertVariables(
    world.db,
    world.web.variablesKey,
    owner,
    [
      { name: "TOKEN", value: "s3cret", secret: true },
      { name: "ADMIN_KEY", value: "made", secret: true, system: true },
    ],
    1,
  );
  const edit = (variables: { name: string; value: string | null; secret: boolean }[]) =>
    joe.instances.editVariables({ instanceId, variables });
  const token = { name: "TOKEN", value: null, secret: true };
  await expect(edit([token, token])).rejects.toMatchObject({ code: "BAD_REQUEST" });
  await expect(edit([{ name: "NEW", value: null, secret: true }])).rejects.toMatchObject(
    refusedBeside({ "variables.0.value": "Enter a value for NEW. It doesn't have one yet." }),
  );
  await expect(edit([{ name: "ADMIN_KEY", value: "mine", secret: false }])).rejects.toMatchObject({
    code: "BAD_REQUEST",
  });
  const { operationId } = await edit([token, { name: "GREETING", value: "hej", secret: false }]);
  expect(factsOf(operationId)).toMatchObject({ variableSet: 2, previousSet: 1 });
  expect(openVariables(world.db, world.web.variablesKey, instanceId, 2)).toEqual([
    { name: "TOKEN", value: "s3cret", secret: true },
    { name: "GREETING", value: "hej", secret: false },
    { name: "ADMIN_KEY", value: "made", secret: true },
  ]);

  world.db.update(operations).set({ state: "done" }).run();
  world.db.update(instances).set({ variableSet: 2, status: "running" }).run();
  const back = await joe.instances.restoreVariables({ instanceId, set: 1 });
  expect(factsOf(back.operationId)).toMatchObject({ variableSet: 3, previousSet: 2 });
  expect(openVariables(world.db, world.web.variablesKey, instanceId, 3)).toEqual(
    openVariables(world.db, world.web.variablesKey, instanceId, 1),
  );
});

test("what an edit tried in vain is not what is put back after the next one", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme" });
  insertVariables(
    world.db,
    world.web.variablesKey,
    { id: instanceId, variableSet: 1 },
    [{ name: "GREETING", value: "hello", secret: false }],
    1,
  );
  const edit = async (value: string, state: "failed" | "done") => {
    const { operationId } = await joe.instances.editVariables({
      instanceId,
      variables: [{ name: "GREETING", value, secret: false }],
    });
    world.db.update(operations).set({ state }).where(eq(operations.id, operationId)).run();
    const { variableSet } = z.object({ variableSet: z.number() }).parse(factsOf(operationId));
    world.db
      .update(instances)
      .set({ status: "running", ...(state === "done" ? { variableSet } : {}) })
      .run();
  };
  await edit("wrong", "failed");
  await edit("hej", "done");
  const { instance } = await joe.instances.get({ slug: "acme" });
  expect(instance.previousVariables).toMatchObject({ set: 1, variables: [{ value: "hello" }] });
});

test("a size and a version must be another one that is on offer", async () => {
  const instanceId = insertInstance(world.db, ran);
  const resize = (size: string) => joe.instances.resize({ instanceId, size });
  for (const size of ["s-1vcpu-2gb", "s-4vcpu-8gb", "made-up"])
    await expect(resize(size), size).rejects.toMatchObject(refusedBeside({ size: expect.any(String) }));
  const upgrade = (version: string) => joe.instances.upgrade({ instanceId, version });
  for (const version of ["2.14.0", "0.0.0-made-up"])
    await expect(upgrade(version), version).rejects.toMatchObject(
      refusedBeside({ version: expect.any(String) }),
    );
  expect(begun()).toEqual([]);
  const { operationId } = await resize("s-2vcpu-4gb");
  expect(factsOf(operationId)).toMatchObject({
    size: { slug: "s-2vcpu-4gb", priceMonthlyCents: 2400 },
    previousSize: { slug: "s-1vcpu-2gb", priceMonthlyCents: 1200 },
  });
});

test("the same press of Spawn is the same instance, whatever became of it; with another wish it is refused", async () => {
  const wish = spawnWish({ variables: [{ name: "TOKEN", value: "s3cret", secret: true }] });
  const made = await joe.instances.spawn(wish);
  world.db.update(instances).set({ company: "Renamed", slug: "moved" }).run();
  expect(await joe.instances.spawn(wish)).toEqual({ ...made, slug: "moved" });
  for (const other of [{ slug: "other" }, { variables: [{ name: "TOKEN", value: "other", secret: true }] }])
    await expect(joe.instances.spawn({ ...wish, ...other })).rejects.toMatchObject({ code: "CONFLICT" });
  world.db.update(instances).set({ idempotencyDigest: null }).run();
  expect(await joe.instances.spawn({ ...wish, slug: "other" })).toEqual({ ...made, slug: "moved" });
  expect(begun().map(({ kind }) => kind)).toEqual(["spawn"]);
  expect(rowOf(made.instanceId)?.idempotencyDigest).toBeNull();
});

test("only a good backup can be restored, in its place or as a new instance", async () => {
  const instanceId = insertInstance(world.db, { ...ran, slug: "acme", company: "Acme" });
  const [good, bad] = [addBackup(instanceId), addBackup(instanceId, "failed")];
  const asNew = { idempotencyKey: randomUUID(), company: "Acme Two", slug: "acme-two" };
  for (const backupId of [bad, "made-up"]) {
    await expect(joe.backups.restore({ backupId })).rejects.toThrow();
    await expect(joe.instances.restoreAsNew({ ...asNew, backupId })).rejects.toThrow();
  }
  await expect(joe.instances.restoreAsNew({ ...asNew, backupId: good, slug: "acme" })).rejects.toMatchObject(
    refusedBeside({ slug: expect.stringContaining("acme-2") }),
  );
  expect(begun()).toEqual([]);
  const made = await joe.instances.restoreAsNew({ ...asNew, backupId: good });
  expect(rowOf(made.instanceId)).toMatchObject({ slug: "acme-two", status: "spawning", version: "2.14.0" });
  expect(await joe.instances.restoreAsNew({ ...asNew, backupId: good })).toEqual(made);
  await expect(
    joe.instances.restoreAsNew({ ...asNew, company: "Acme Three", backupId: good }),
  ).rejects.toMatchObject({ code: "CONFLICT", message: expect.stringContaining("already started acme-two") });
  await joe.backups.restore({ backupId: good });
  expect(begun().map(({ kind }) => kind)).toEqual(["restore-as-new", "restore"]);
});

test("one test restore at a time: a repeated request returns the running one, another waits", async () => {
  const instanceId = insertInstance(world.db, ran);
  const [one, two] = [addBackup(instanceId), addBackup(instanceId)];
  const first = await joe.backups.testRestore({ instanceId, backupId: one });
  expect(await joe.backups.testRestore({ instanceId, backupId: one })).toEqual(first);
  await expect(joe.backups.testRestore({ instanceId, backupId: two })).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
  });
  expect(begun()).toHaveLength(1);
});

test("a plan for backups takes effect at once, and a bad one is refused", async () => {
  const instanceId = insertInstance(world.db, ran);
  const plan = {
    ...{ every: "day" as const, at: "03:00", weekday: 0, timeZone: "Europe/Berlin" },
    ...{ keepCount: 7, keepDays: 30, testRestoreEvery: "week" as const },
  };
  for (const wrong of [{ at: "25:00" }, { timeZone: "Mars/Base" }, { keepCount: 0 }, { keepDays: 0 }])
    await expect(
      joe.instances.setBackupPlan({ instanceId, plan: { ...plan, ...wrong } }),
    ).rejects.toMatchObject({
      code: "BAD_REQUEST",
    });
  expect(rowOf(instanceId)?.nextBackupAt).toBeNull();
  await joe.instances.setBackupPlan({ instanceId, plan });
  const next = rowOf(instanceId)?.nextBackupAt ?? 0;
  expect(next).toBeGreaterThan(Date.now());
  const inBerlin = new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Berlin", timeStyle: "short" });
  expect(inBerlin.format(next)).toBe("03:00");
  await joe.instances.setBackupPlan({
    instanceId,
    plan: { ...plan, every: "never", testRestoreEvery: "never" },
  });
  expect(rowOf(instanceId)).toMatchObject({ nextBackupAt: null, nextRestoreTestAt: null });
});

test("what is kept of a destroyed instance goes for good only with its slug typed", async () => {
  const instanceId = insertInstance(world.db, {
    ...{ ...ran, slug: "acme", status: "destroyed" as const, destroyedAt: 5 },
  });
  const backupId = addBackup(instanceId);
  await expect(joe.instances.purge({ instanceId, confirm: "acm" })).rejects.toMatchObject(
    refusedBeside({ confirm: "Type acme to confirm." }),
  );
  const { operationId } = await joe.instances.purge({ instanceId, confirm: "acme" });
  expect(factsOf(operationId)).toMatchObject({ backups: [{ id: backupId }] });
});
