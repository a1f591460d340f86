import { and, eq, inArray } from "drizzle-orm";
import type { z } from "zod";
import { type Tx, write } from "#db/client.ts";
import {
  audit,
  type BackupReason,
  backups,
  instances,
  type JsonObject,
  noBackupPlan,
  operations,
} from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { newId, newSecret } from "#server/ids.ts";
import { addressTaken, isTaken, refuseForeignRecord } from "#server/instances/addresses.ts";
import { nextBackup, nextRestoreTest } from "#server/instances/backupPlan.ts";
import { type Begun, begunBefore, digestOf } from "#server/instances/idempotency.ts";
import type { backupPlanInput, restoreAsNewInput } from "#server/instances/rules.ts";
import { copyVariables } from "#server/instances/variables.ts";
import { tidyNames } from "#server/operations/backupUses.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { insertOperation } from "#server/operations/engine/insertOperation.ts";
import { instanceOf, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import { type Source, sourceFact } from "#server/operations/steps/dump.ts";
import type { Web } from "#server/web.ts";
import { newestGood } from "./queries.ts";

type Row = typeof backups.$inferSelect;

/** A good backup as the operations need it. Throws a Refusal when there is none that could be restored. */
export function sourceOf(row: Row | undefined): Source {
  if (row === undefined) throw new CommandError("not-found", "This backup doesn't exist.");
  const { id, key, bytes, sha256, contents, version, state } = row;
  if (state !== "good" || bytes === null || sha256 === null || contents === null)
    throw new CommandError("not-now", "Only a good backup can be restored, and this one isn't good.");
  return { id, key, bytes, sha256, tree: contents.tree, version };
}

const sourceIdOf = (facts: JsonObject) => sourceFact.safeParse(facts.source).data?.id;

const find = (tx: Pick<Tx, "select">, backupId: string) =>
  tx.select().from(backups).where(eq(backups.id, backupId)).get();

/** Makes a backup now. */
export function backUp(
  beginner: OperationStarter,
  input: { instanceId: string; reason?: BackupReason; batchId?: string },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    action: "backUp",
    kind: "backup",
    who,
    batchId: input.batchId,
    isSame: (live) => input.batchId === undefined || live.batchId === input.batchId,
    plan: (tx, { id, company }) => ({
      what: `backed up ${company}`,
      facts: { reason: input.reason ?? "manual", tidy: tidyNames(tx, id) },
    }),
  });
}

/** Puts a backup's data back in place of what its instance holds now. */
export function restoreBackup(
  beginner: OperationStarter,
  { backupId }: { backupId: string },
  who: string,
): string {
  const row = find(beginner.db, backupId);
  if (row === undefined) throw new CommandError("not-found", "This backup doesn't exist.");
  return startOperation(beginner, {
    instanceId: row.instanceId,
    action: "restore",
    kind: "restore",
    who,
    isSame: ({ facts }) => sourceIdOf(facts) === backupId,
    // In the same transaction as the beginning: retention may have claimed it a moment ago.
    plan: (tx, { id, company }) => ({
      what: `restored a backup of ${company}`,
      facts: { source: sourceOf(find(tx, backupId)), tidy: tidyNames(tx, id) },
    }),
  });
}

const isBeingTested = (tx: Pick<Tx, "select">, instanceId: string) =>
  tx
    .select({ id: operations.id })
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, instanceId),
        eq(operations.kind, "test-restore"),
        inArray(operations.state, ["running", "cancelling"]),
      ),
    )
    .get() !== undefined;

/** Restores a backup, or the newest good one of an instance, to a throwaway droplet to see that it can be. */
export function testRestore(
  beginner: OperationStarter,
  input: { instanceId: string; backupId?: string | undefined },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    action: "testRestore",
    kind: "test-restore",
    who,
    isSame: ({ facts }) => input.backupId === undefined || sourceIdOf(facts) === input.backupId,
    plan: (tx, { id, company }) => {
      // Each throws away what it finds of the other.
      if (isBeingTested(tx, id))
        throw new CommandError("not-now", "Possible once the current proof has finished.");
      const row = input.backupId === undefined ? newestGood(tx, id) : find(tx, input.backupId);
      if (row === undefined)
        throw new CommandError("not-now", "There is no good backup yet. Make one first.");
      return { what: `proved a backup of ${company}`, facts: { source: sourceOf(row), throwaway: true } };
    },
  });
}

/** A new instance like the backup's own (region, size, contact and variables), that begins with the backup's data. */
export async function restoreAsNew(
  web: Web,
  input: z.infer<typeof restoreAsNewInput>,
  who: string,
): Promise<Begun> {
  const { idempotencyKey, company, slug, backupId } = input;
  if (begunBefore(web.db, web.variablesKey, input) === undefined) {
    const original = instanceOf(web.db, find(web.db, backupId)?.instanceId ?? "");
    await refuseForeignRecord(web, { slug, domain: original.domain });
  }
  const begun = write(web.db, (tx): Begun => {
    const before = begunBefore(tx, web.variablesKey, input);
    if (before !== undefined) return before;
    const row = find(tx, backupId);
    const source = sourceOf(row);
    const from = instanceOf(tx, row?.instanceId ?? "");
    const { domain } = from;
    if (isTaken(tx, { slug, domain })) throw addressTaken(tx, { slug, domain });
    const at = web.now();
    const id = newId();
    tx.insert(instances)
      .values({
        ...{ id, idempotencyKey, company, slug, domain },
        idempotencyDigest: digestOf(web.variablesKey, input),
        contactName: from.contactName,
        contactEmail: from.contactEmail,
        region: from.region,
        size: from.size,
        priceMonthlyCents: from.priceMonthlyCents,
        version: source.version,
        status: "spawning",
        backupPlan: { ...noBackupPlan, setAt: at },
        createdBy: who,
        createdAt: at,
      })
      .run();
    const adminKey = newSecret();
    copyVariables(tx, web.variablesKey, from, { id, variableSet: 1 }, adminKey, at);
    const operationId = insertOperation(tx, {
      kind: "restore-as-new",
      instanceId: id,
      who,
      clock: web,
      what: `restored a backup of ${from.company} as ${company}`,
      facts: { source },
    });
    return { instanceId: id, slug, operationId };
  });
  web.wake(begun.operationId);
  return begun;
}

/** When backups of an instance are made, and which are kept. */
export function setBackupPlan(
  { db, now }: Pick<OperationStarter, "db" | "now">,
  { instanceId, plan }: { instanceId: string; plan: z.infer<typeof backupPlanInput> },
  who: string,
): void {
  write(db, (tx) => {
    const instance = instanceOf(tx, instanceId);
    const at = now();
    const backupPlan = { ...plan, setAt: at };
    tx.update(instances)
      .set({
        backupPlan,
        nextBackupAt: nextBackup(backupPlan, at),
        nextRestoreTestAt: nextRestoreTest(backupPlan, at),
      })
      .where(eq(instances.id, instanceId))
      .run();
    const what = `changed when ${instance.company} is backed up`;
    tx.insert(audit).values({ at, who, what, instanceId }).run();
    appendEvent(tx, { at, kind: "instance", instanceId });
  });
}
