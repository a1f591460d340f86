import { and, asc, desc, eq, inArray, isNotNull, isNull, sql } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { type BackupReason, backups, instances } from "#db/schema.ts";
import { instancePages, isOnPage, type Page } from "#server/instances/instancePages.ts";
import { usesOf } from "#server/operations/backupUses.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { isOfWayBack, manifestKey } from "#server/operations/steps/dump.ts";
import { eachWithin } from "./eachWithin.ts";

const dayMs = 86_400_000;
/** How long what is left of a failed backup is kept. */
const failedForMs = dayMs;

/** Made by the Spawner before it changes data: kept for as many days as the plan says, and not counted by it. */
const safetyReasons: readonly BackupReason[] = ["before-restore", "before-upgrade"];

/**
 * Removes backups by count and by age, as each plan says; never the newest good one, nor the newest one that is no
 * safety backup, nor the newest one that no rollback has put aside (what Bring back would take: see `newestGood`),
 * nothing that is in use, and nothing of an instance that is destroyed or not back yet. A backup is claimed before it is
 * touched, so that nothing begins to restore it meanwhile; a claim that a crash left is finished by the next round.
 */
export async function applyRetention(engine: Engine, signal: AbortSignal): Promise<void> {
  for await (const page of instancePages(engine, signal)) claimExpired(engine, page);
  const claimed = claimedBackups(engine.db).all();
  const fault = ({ key }: (typeof claimed)[number]) => `could not remove the backup ${key}`;
  const remove = async ({ id, key }: (typeof claimed)[number], bound: AbortSignal) => {
    await engine.providers.backups.remove(key, bound);
    await engine.providers.backups.remove(manifestKey(key), bound);
    engine.db
      .update(backups)
      .set({ state: "removed", removedAt: engine.now() })
      .where(eq(backups.id, id))
      .run();
  };
  await eachWithin(engine, claimed, fault, remove, signal);
}

const claimedBackups = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ id: backups.id, key: backups.key })
    .from(backups)
    // Must match the condition of the index backups_removing.
    .where(sql`state = 'removing'`)
    .orderBy(asc(backups.sequence))
    .prepare(),
);

function claimExpired({ db, now }: Engine, page: Page): void {
  // On most pages nothing has expired: don't take the write lock for those.
  if (expired(db, now(), page).length === 0) return;
  write(db, (tx) => {
    const ids = expired(tx, now(), page);
    if (ids.length > 0) tx.update(backups).set({ state: "removing" }).where(inArray(backups.id, ids)).run();
  });
}

/**
 * Not destroyed, nor on its way back: until it answers, Cancel and Destroy lead to where all that is kept of it counts.
 */
const isThere = and(
  isNull(instances.destroyedAt),
  isNotNull(instances.dropletId),
  isNotNull(instances.answeredAt),
);

/** Of an instance without a failed backup, and with none beyond its plan's days or number, nothing goes. */
const mayHaveExpired = sql`(
  exists (select 1 from backups one where one.instance_id = instances.id
    and one.state in ('running', 'good', 'failed') and (one.state = 'failed'
      or one.created_at < ${given("now")} - json_extract(instances.backup_plan, '$.keepDays') * ${sql.raw(String(dayMs))}))
  or (select count(*) from backups one where one.instance_id = instances.id and one.state = 'good')
    > json_extract(instances.backup_plan, '$.keepCount'))`;

const removable = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ backup: backups, plan: instances.backupPlan })
    .from(backups)
    .innerJoin(instances, eq(instances.id, backups.instanceId))
    .where(
      and(
        inArray(
          backups.instanceId,
          tx
            .select({ id: instances.id })
            .from(instances)
            .where(and(isOnPage(), isThere, mayHaveExpired)),
        ),
        inArray(backups.state, ["good", "failed"]),
      ),
    )
    .orderBy(desc(backups.sequence))
    .prepare(),
);

/** The ids of a page's expired backups. */
function expired(tx: Pick<Tx, "select">, now: number, page: Page): string[] {
  const counted = new Map<string, number>();
  /** How many newer ones of the same instance and sort there are. */
  const newerOnes = (instanceId: string, sort: "any" | "not put aside" | "planned"): number => {
    const key = `${instanceId} ${sort}`;
    const count = counted.get(key) ?? 0;
    counted.set(key, count + 1);
    return count;
  };
  const beyondPlan = removable(tx)
    .all({ now, ...page })
    .flatMap(({ backup, plan }) => {
      const age = now - backup.createdAt;
      if (backup.state === "failed") return age > failedForMs ? [backup] : [];
      const { id, instanceId, reason } = backup;
      const any = newerOnes(instanceId, "any");
      const notPutAside = isOfWayBack(id) ? undefined : newerOnes(instanceId, "not put aside");
      const planned = safetyReasons.includes(reason) ? undefined : newerOnes(instanceId, "planned");
      const isNewest = [any, notPutAside, planned].includes(0);
      const goes = age > plan.keepDays * dayMs || (planned !== undefined && planned >= plan.keepCount);
      return goes && !isNewest ? [backup] : [];
    });
  if (beyondPlan.length === 0) return [];
  const uses = usesOf(tx);
  return beyondPlan.filter((backup) => !uses.backup(backup)).map(({ id }) => id);
}
