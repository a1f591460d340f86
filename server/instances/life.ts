import { and, eq, isNull } from "drizzle-orm";
import { write } from "#db/client.ts";
import { audit, backups, instances, snapshots } from "#db/schema.ts";
import { sourceOf } from "#server/backups/commands.ts";
import { CommandError } from "#server/commandError.ts";
import { teamOf, usesOf } from "#server/operations/backupUses.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { stillUsed } from "#server/operations/purge.ts";
import { newestRestorePoint } from "#server/operations/restorePoints.ts";
import {
  instanceOf,
  newestOperation,
  type OperationStarter,
  startOperation,
} from "#server/operations/startOperation.ts";
import { addressTaken, isTaken, type RecordFinder, refuseForeignRecord } from "./addresses.ts";

function expectTyped(confirm: string, slug: string): void {
  if (confirm === slug) return;
  const userMessage = `Type ${slug} to confirm.`;
  throw new CommandError("invalid", userMessage, { confirm: userMessage });
}

/** Destroys an instance in whatever state it is: a half-built spawn as well. `confirm` must be its slug. */
export function destroyInstance(
  beginner: OperationStarter,
  input: { instanceId: string; confirm: string },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    action: "destroy",
    kind: "destroy",
    who,
    plan: (tx, instance) => {
      expectTyped(input.confirm, instance.slug);
      return {
        what: `destroyed ${instance.company}`,
        facts: unfinished(newestOperation(tx, instance.id)?.facts),
      };
    },
  });
}

/** What an interrupted spawn knew of its droplet. What may have been bought besides, every operation is told. */
export function unfinished(facts: Record<string, unknown> = {}): Record<string, unknown> {
  const { dropletId, address } = facts;
  return { dropletId, address };
}

/**
 * A destroyed instance returns from what was kept of it last, at its own address, or at `slug` when that has been taken
 * meanwhile.
 */
export async function bringBack(
  web: OperationStarter & RecordFinder,
  input: { instanceId: string; slug?: string | undefined },
  who: string,
): Promise<string> {
  const { domain, slug: own } = instanceOf(web.db, input.instanceId);
  await refuseForeignRecord(web, { slug: input.slug ?? own, domain }, input.instanceId);
  return startOperation(web, {
    instanceId: input.instanceId,
    action: "bringBack",
    kind: "bring-back",
    who,
    plan: (tx, instance) => {
      const slug = input.slug ?? instance.slug;
      if (isTaken(tx, { slug, domain: instance.domain }, instance.id))
        throw addressTaken(tx, { slug, domain: instance.domain });
      const kept = newestRestorePoint(tx, instance);
      const start = kept?.from === "snapshot" ? { imageId: kept.id } : { source: sourceOf(kept?.backup) };
      tx.update(instances)
        .set({
          slug,
          destroyedAt: null,
          keptUntil: null,
          dropletId: null,
          ipAddress: null,
          hostKey: null,
          answeredAt: null,
          answeredInMs: null,
          silentSince: null,
          dropletMissingSince: null,
          dropletGoneAt: null,
          // A backup comes back in any team; a snapshot only in the one it belongs to.
          ...(kept?.from === "snapshot" ? {} : { accountId: null }),
        })
        .where(eq(instances.id, instance.id))
        .run();
      return {
        what: `brought ${instance.company} back`,
        facts: { ...start, ...(slug === instance.slug ? {} : { previousSlug: instance.slug }) },
      };
    },
  });
}

/** Removes what is kept of a destroyed instance for good. `confirm` must be its slug. */
export function purgeInstance(
  beginner: OperationStarter,
  input: { instanceId: string; confirm: string },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    action: "purge",
    kind: "purge",
    who,
    plan: (tx, instance) => {
      expectTyped(input.confirm, instance.slug);
      const kept = tx
        .select({ id: snapshots.id })
        .from(snapshots)
        .where(and(eq(snapshots.instanceId, instance.id), isNull(snapshots.removedAt)))
        .all();
      const stored = tx
        .select({ id: backups.id, key: backups.key, operationId: backups.operationId })
        .from(backups)
        .where(and(eq(backups.instanceId, instance.id), isNull(backups.removedAt)))
        .all();
      const uses = usesOf(tx);
      if (kept.some((row) => uses.snapshot(row.id)) || stored.some(uses.backup))
        throw new CommandError("not-now", stillUsed);
      return {
        what: `removed what was kept of ${instance.company} for good`,
        facts: {
          snapshotIds: kept.map((row) => row.id),
          snapshotTeams: Object.fromEntries(kept.flatMap(({ id }) => teamEntry(id, teamOf(tx, id)))),
          backups: stored.map(({ id, key }) => ({ id, key })),
        },
      };
    },
  });
}

const teamEntry = (id: number, team: string | null): [number, string][] =>
  team === null ? [] : [[id, team]];

/** Sets or takes away the protection against Destroy. */
export function protectInstance(
  { db, now }: Pick<OperationStarter, "db" | "now">,
  input: { instanceId: string; isProtected: boolean },
  who: string,
): void {
  write(db, (tx) => {
    const instance = instanceOf(tx, input.instanceId);
    if (instance.isProtected === input.isProtected) return;
    if (input.isProtected && instance.status === "destroying")
      throw new CommandError("not-now", "It is being destroyed already. Cancel that first.");
    const at = now();
    tx.update(instances).set({ isProtected: input.isProtected }).where(eq(instances.id, instance.id)).run();
    const what = input.isProtected
      ? `protected ${instance.company} against Destroy`
      : `turned off protection of ${instance.company}`;
    tx.insert(audit).values({ at, who, what, instanceId: instance.id }).run();
    appendEvent(tx, { at, kind: "instance", instanceId: instance.id });
  });
}
