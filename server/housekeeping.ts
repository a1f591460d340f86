import { and, desc, eq, inArray, isNotNull, isNull, lte } from "drizzle-orm";
import { z } from "zod";
import { write } from "../db/client.ts";
import { aliases, backups, instances, mail, operations, snapshots } from "../db/schema.ts";
import { backUp, proveBackup } from "./backups/commands.ts";
import { lastGoodBackups } from "./backups/queries.ts";
import { nextBackup, nextProof, staleness } from "./backups/schedule.ts";
import { newId } from "./ids.ts";
import { purgeInstance } from "./instances/life.ts";
import { manifestKey } from "./operations/backupSteps.ts";
import type { Engine } from "./operations/engine.ts";
import { appendEvent } from "./operations/events.ts";
import { sourceFacts } from "./operations/restoreSteps.ts";
import { Refusal } from "./refusal.ts";
import { report } from "./report.ts";
import { noteStrays } from "./strays.ts";
import { spawnerItself } from "./views.ts";

/** What is busy when its backup is due is asked again after this long. */
const busyPauseMs = 10 * 60_000;
const dayMs = 86_400_000;

/**
 * What time brings: backups and proofs that are due, backups and snapshots nobody needs any more, redirects whose time
 * is over, what is kept of destroyed instances, and warnings. Run every minute; whatever fails is tried by the next.
 */
export async function keepHouse(engine: Engine): Promise<void> {
  const chores: [what: string, chore: (engine: Engine) => Promise<void> | void][] = [
    ["the backups that are due could not be begun", beginDueBackups],
    ["the restore proofs that are due could not be begun", beginDueProofs],
    ["backups that are not kept any more could not be removed", applyRetention],
    ["snapshots that are not kept any more could not be removed", removeOldSnapshots],
    ["redirects whose time is over could not be removed", endRedirects],
    ["what was kept of destroyed instances could not be removed", purgeExpired],
    ["nobody could be warned of old backups", warnOfStaleBackups],
    ["it is not known whether there are stray droplets", noteStrays],
  ];
  for (const [what, chore] of chores) {
    try {
      await chore(engine);
    } catch (error) {
      report(what, error);
    }
  }
}

/** Begins something by itself; a refusal (it is busy, it is off) is no fault, and asked again later. */
function attempt(begin: () => void): boolean {
  try {
    begin();
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

function beginDueBackups(engine: Engine): void {
  const now = engine.now();
  const due = engine.db.select().from(instances).where(lte(instances.nextBackupAt, now)).all();
  for (const { id, backupPlan, status } of due) {
    const begun =
      status !== "destroyed" &&
      attempt(() => backUp(engine, { instanceId: id, reason: "scheduled" }, spawnerItself));
    const nextBackupAt = begun || status === "destroyed" ? nextBackup(backupPlan, now) : now + busyPauseMs;
    engine.db.update(instances).set({ nextBackupAt }).where(eq(instances.id, id)).run();
  }
}

function beginDueProofs(engine: Engine): void {
  const now = engine.now();
  const due = engine.db.select().from(instances).where(lte(instances.nextProofAt, now)).all();
  for (const { id, backupPlan } of due) {
    const begun = attempt(() => proveBackup(engine, { instanceId: id }, spawnerItself));
    const nextProofAt = begun ? nextProof(backupPlan, now) : now + busyPauseMs;
    engine.db.update(instances).set({ nextProofAt }).where(eq(instances.id, id)).run();
  }
}

const facts = z.object(sourceFacts).partial();

/** Backups that a live operation reads or writes. */
function backupsInUse(engine: Engine): Set<string> {
  const live = engine.db
    .select({ id: operations.id, facts: operations.facts })
    .from(operations)
    .where(inArray(operations.state, ["running", "cancelling"]))
    .all();
  return new Set(live.flatMap((row) => [row.id, facts.safeParse(row.facts).data?.source?.id ?? row.id]));
}

/** By count and by age, as each plan says; never the last good one, and nothing of a destroyed instance. */
async function applyRetention(engine: Engine): Promise<void> {
  const now = engine.now();
  const rows = engine.db
    .select({ backup: backups, plan: instances.backupPlan })
    .from(backups)
    .innerJoin(instances, eq(instances.id, backups.instanceId))
    .where(and(isNull(instances.destroyedAt), inArray(backups.state, ["good", "failed"])))
    .orderBy(desc(backups.sequence))
    .all();
  const inUse = backupsInUse(engine);
  const good = new Map<string, number>();
  for (const { backup, plan } of rows) {
    const before = good.get(backup.instanceId) ?? 0;
    if (backup.state === "good") good.set(backup.instanceId, before + 1);
    const isOld = now - backup.createdAt > plan.keepDays * dayMs;
    const isLastGood = backup.state === "good" && before === 0;
    const goes =
      backup.state === "failed" ? now - backup.createdAt > dayMs : isOld || before >= plan.keepCount;
    if (!goes || isLastGood || inUse.has(backup.id)) continue;
    await engine.providers.backups.remove(backup.key);
    await engine.providers.backups.remove(manifestKey(backup.key));
    engine.db
      .update(backups)
      .set({ state: "removed", removedAt: now })
      .where(eq(backups.id, backup.id))
      .run();
  }
}

/** Each instance keeps its newest snapshot; earlier ones only cost money. */
async function removeOldSnapshots(engine: Engine): Promise<void> {
  const kept = engine.db
    .select()
    .from(snapshots)
    .where(isNull(snapshots.removedAt))
    .orderBy(desc(snapshots.sequence))
    .all();
  const seen = new Set<string>();
  for (const snapshot of kept) {
    const isNewest = !seen.has(snapshot.instanceId);
    seen.add(snapshot.instanceId);
    if (isNewest || isBusy(engine, snapshot.instanceId)) continue;
    await engine.providers.digitalocean.deleteSnapshot(snapshot.id);
    engine.db.update(snapshots).set({ removedAt: engine.now() }).where(eq(snapshots.id, snapshot.id)).run();
  }
}

function isBusy(engine: Engine, instanceId: string): boolean {
  const live = engine.db
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.instanceId, instanceId), inArray(operations.state, ["running", "cancelling"])))
    .get();
  return live !== undefined;
}

async function endRedirects(engine: Engine): Promise<void> {
  const over = engine.db
    .select({ alias: aliases, address: instances.address })
    .from(aliases)
    .innerJoin(instances, eq(instances.id, aliases.instanceId))
    .where(and(eq(aliases.role, "redirect"), lte(aliases.expiresAt, engine.now())))
    .all();
  for (const { alias, address } of over) {
    if (isBusy(engine, alias.instanceId)) continue;
    if (address !== null)
      await engine.providers.digitalocean.removeARecords({ domain: alias.domain, name: alias.slug, address });
    write(engine.db, (tx) => {
      tx.delete(aliases).where(eq(aliases.id, alias.id)).run();
      appendEvent(tx, { at: engine.now(), kind: "instance", instanceId: alias.instanceId });
    });
  }
}

function purgeExpired(engine: Engine): void {
  const over = engine.db
    .select()
    .from(instances)
    .where(
      and(
        lte(instances.keptUntil, engine.now()),
        isNotNull(instances.destroyedAt),
        isNull(instances.purgedAt),
      ),
    )
    .all();
  for (const { id, slug } of over)
    attempt(() => purgeInstance(engine, { instanceId: id, confirm: slug }, spawnerItself));
}

/** One mail for each time the newest good backup becomes too old. */
function warnOfStaleBackups(engine: Engine): void {
  const now = engine.now();
  const live = engine.db.select().from(instances).where(isNull(instances.destroyedAt)).all();
  const lastGood = lastGoodBackups(
    engine.db,
    live.map((row) => row.id),
  );
  for (const { id, backupPlan, createdAt, createdBy } of live) {
    const lastGoodAt = lastGood.get(id) ?? null;
    if (staleness(backupPlan, { lastGoodAt, createdAt, now }) === null) continue;
    engine.db
      .insert(mail)
      .values({
        id: newId(),
        instanceId: id,
        kind: "stale",
        round: lastGoodAt ?? 0,
        recipient: createdBy,
        createdAt: now,
        dueAt: engine.monotonic(),
      })
      .onConflictDoNothing()
      .run();
  }
}
