import { createSecretKey, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { eq } from "drizzle-orm";
import { backups, instances, type JsonObject, type OperationKind, snapshots } from "#db/schema.ts";
import { backUp } from "#server/backups/commands/backUp.ts";
import { restoreBackup } from "#server/backups/commands/restoreBackup.ts";
import { testRestore } from "#server/backups/commands/testRestore.ts";
import type { Finding } from "#server/drift/findings.ts";
import { bringBack } from "#server/instances/commands/bringBack.ts";
import { changeAddress } from "#server/instances/commands/changeAddress.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { editVariables } from "#server/instances/commands/editVariables.ts";
import { purgeInstance } from "#server/instances/commands/purgeInstance.ts";
import { renameInstance } from "#server/instances/commands/renameInstance.ts";
import { setPower } from "#server/instances/commands/setPower.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { registry } from "#server/operations/registry.ts";
import { instanceTag, restoreTestTag } from "#server/operations/steps/droplet.ts";
import { testArchive } from "./testBackups.ts";
import { begin } from "./testEngine.ts";

type Start = {
  /** What must have come to its end before. */
  after: OperationKind[];
  /** Presses the button; returns the operation's id. */
  begin: (engine: Engine, instanceId: string) => Promise<string> | string;
};

const who = "joe@intranet.localhost";
const rowOf = (engine: Engine, id: string) => {
  const row = engine.db.select().from(instances).where(eq(instances.id, id)).get();
  if (row === undefined) throw new Error(`no instance ${id}`);
  return row;
};
const newestBackup = (engine: Engine, id: string) =>
  engine.db.select().from(backups).where(eq(backups.instanceId, id)).all().at(-1)?.id ?? "";
/** What the commands that look at DigitalOcean need besides. */
const asWeb = (engine: Engine) => ({
  ...engine,
  digitalocean: engine.providers.digitalocean,
  env: { baseDomains: [] },
});
const plainly =
  (kind: OperationKind, facts: JsonObject = {}): Start["begin"] =>
  (engine, instanceId) =>
    begin(engine, instanceId, registry[kind], facts);

/** For tests: how each operation is begun, by the same commands as the page's buttons where there is nothing to look up. */
export const startOf: Record<OperationKind, Start> = {
  spawn: { after: [], begin: plainly("spawn") },
  "restore-as-new": {
    after: [],
    begin: async (engine, instanceId) => {
      const { content, bytes, sha256, tree } = testArchive();
      const key = `elsewhere/${instanceId}.tar.gz`;
      await engine.providers.backups.put(key, Readable.from([content]));
      const source = { id: "elsewhere", key, bytes, sha256, tree, version: "2.13.0" };
      return begin(engine, instanceId, registry["restore-as-new"], { source });
    },
  },
  destroy: {
    after: ["spawn"],
    begin: (engine, instanceId) =>
      destroyInstance(engine, { instanceId, confirm: rowOf(engine, instanceId).slug }, who),
  },
  "bring-back": {
    after: ["spawn", "destroy"],
    begin: (engine, instanceId) => bringBack(asWeb(engine), { instanceId }, who),
  },
  backup: { after: ["spawn"], begin: (engine, instanceId) => backUp(engine, { instanceId }, who) },
  restore: {
    after: ["spawn", "backup"],
    begin: (engine, id) => restoreBackup(engine, { backupId: newestBackup(engine, id) }, who),
  },
  "test-restore": {
    after: ["spawn", "backup"],
    begin: (engine, instanceId) => testRestore(engine, { instanceId }, who),
  },
  "change-address": {
    after: ["spawn"],
    begin: (engine, instanceId) => {
      const { slug, domain } = rowOf(engine, instanceId);
      return changeAddress(
        asWeb(engine),
        { instanceId, slug: `${slug}-moved`, domain, redirectDays: 0 },
        who,
      );
    },
  },
  "edit-variables": {
    after: ["spawn"],
    begin: (engine, instanceId) =>
      editVariables(
        { ...engine, variablesKey: createSecretKey(randomBytes(32)) },
        { instanceId, variables: [{ name: "WELCOME_TEXT", value: "Hej", secret: false }] },
        who,
      ),
  },
  rename: {
    after: ["spawn"],
    begin: (engine, instanceId) => {
      const names = { company: "Acme & Sons", contactName: "Petra Berg", contactEmail: "berg@acme.example" };
      return renameInstance(engine, { instanceId, ...names }, who);
    },
  },
  restart: {
    after: ["spawn"],
    begin: (engine, instanceId) => setPower(engine, { instanceId, power: "restart" }, who),
  },
  "power-off": {
    after: ["spawn"],
    begin: (engine, instanceId) => setPower(engine, { instanceId, power: "off" }, who),
  },
  "power-on": {
    after: ["spawn", "power-off"],
    begin: (engine, instanceId) => setPower(engine, { instanceId, power: "on" }, who),
  },
  resize: {
    after: ["spawn"],
    begin: plainly("resize", {
      size: { slug: "s-2vcpu-4gb", priceMonthlyCents: 2400 },
      previousSize: { slug: "s-1vcpu-2gb", priceMonthlyCents: 1200 },
    }),
  },
  upgrade: {
    after: ["spawn"],
    begin: plainly("upgrade", { version: "2.14.0", previousVersion: "2.13.0" }),
  },
  purge: {
    after: ["spawn", "backup", "destroy"],
    begin: (engine, instanceId) =>
      purgeInstance(engine, { instanceId, confirm: rowOf(engine, instanceId).slug }, who),
  },
  "remove-orphaned-droplet": {
    after: ["spawn"],
    begin: async (engine, instanceId) => {
      const { slug, region, size } = rowOf(engine, instanceId);
      const { digitalocean } = engine.providers;
      const key = await digitalocean.ensureSshKey(engine.site.keyName, engine.site.publicKey);
      const { id: dropletId } = await digitalocean.createDroplet({
        ...{ name: `${slug}.stray`, region, size, image: "debian-13-x64", sshKeyId: key.id },
        tags: ["spawner"],
      });
      return begin(engine, instanceId, registry["remove-orphaned-droplet"], { dropletId, throwaway: true });
    },
  },
  "adopt-droplet": {
    after: ["spawn"],
    begin: (engine, instanceId) => {
      const { dropletId, status } = rowOf(engine, instanceId);
      if (dropletId === null) throw new Error("nothing was spawned");
      engine.db
        .update(instances)
        .set({ dropletId: null, ipAddress: null, hostKey: null, status: "failed" })
        .where(eq(instances.id, instanceId))
        .run();
      const before = { status, destroyedAt: null, keptUntil: null, purgedAt: null };
      const finding = {
        ...{ type: "orphaned-droplet", dropletId, name: "left-behind", createdAt: 1, isAdoptable: true },
        ownTag: instanceTag(instanceId),
      } satisfies Finding;
      return begin(engine, instanceId, registry["adopt-droplet"], { finding, before });
    },
  },
  "adopt-snapshot": {
    after: ["spawn", "destroy"],
    begin: (engine, instanceId) => {
      const row = engine.db.select().from(snapshots).where(eq(snapshots.instanceId, instanceId)).get();
      if (row === undefined) throw new Error("no snapshot was taken");
      engine.db.delete(snapshots).where(eq(snapshots.id, row.id)).run();
      engine.db.update(instances).set({ snapshotId: null }).where(eq(instances.id, instanceId)).run();
      const { id: snapshotId, name, sizeGb, operationId } = row;
      const finding = {
        ...{ type: "orphaned-snapshot", snapshotId, name, sizeGb, operationId },
        ...{ createdAt: 1, isAdoptable: true },
      } satisfies Finding;
      return begin(engine, instanceId, registry["adopt-snapshot"], { finding });
    },
  },
  "repair-drift": {
    after: ["spawn"],
    begin: async (engine, instanceId) => {
      const { slug: name, domain, ipAddress: address } = rowOf(engine, instanceId);
      if (address === null) throw new Error("nothing was spawned");
      const { digitalocean } = engine.providers;
      for (const { id } of await digitalocean.findRecords(domain, name))
        await digitalocean.removeRecord(domain, id);
      const finding = { type: "missing-record", domain, name, address } satisfies Finding;
      return begin(engine, instanceId, registry["repair-drift"], { finding });
    },
  },
  "delete-orphan": {
    after: ["spawn"],
    begin: async (engine, instanceId) => {
      const { slug, region, size } = rowOf(engine, instanceId);
      const { digitalocean } = engine.providers;
      const key = await digitalocean.ensureSshKey(engine.site.keyName, engine.site.publicKey);
      const ownTag = restoreTestTag(instanceId);
      const { id: dropletId, name } = await digitalocean.createDroplet({
        ...{ name: `${slug}.orphan`, region, size, image: "debian-13-x64", sshKeyId: key.id },
        tags: ["spawner", ownTag],
      });
      const finding = {
        ...{ type: "orphaned-droplet", dropletId, name, ownTag, createdAt: 1, isAdoptable: false },
      } satisfies Finding;
      return begin(engine, instanceId, registry["delete-orphan"], { finding });
    },
  },
};
