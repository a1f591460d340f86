import { and, desc, eq, inArray, isNotNull, max, notInArray, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { backups, instances } from "#db/schema.ts";
import type { BackupView } from "#server/api/views.ts";
import { isOfWayBack } from "#server/operations/steps/dump.ts";

/** Backups that are there or being made, newest first: of all instances, or of one. */
export function backupViews(tx: Pick<Tx, "select">, instanceId?: string): BackupView[] {
  return tx
    .select({ backup: backups, company: instances.company, slug: instances.slug })
    .from(backups)
    .innerJoin(instances, eq(instances.id, backups.instanceId))
    .where(
      and(
        notInArray(backups.state, ["removing", "removed"]),
        instanceId === undefined ? undefined : eq(backups.instanceId, instanceId),
      ),
    )
    .orderBy(desc(backups.sequence))
    .all()
    .map(({ backup, company, slug }) => {
      const {
        key: _key,
        sha256: _sha256,
        operationId: _operation,
        contents,
        removedAt: _gone,
        ...row
      } = backup;
      return { ...row, company, slug, files: contents?.files ?? null, counts: contents?.counts ?? {} };
    });
}

const goodBackups = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select()
    .from(backups)
    .where(and(eq(backups.instanceId, given("instanceId")), eq(backups.state, "good")))
    .orderBy(desc(backups.sequence))
    .prepare(),
);

/**
 * The newest good backup of an instance. What a way back has put aside is not what the instance had afterwards: it comes
 * last, whatever its age.
 */
export function newestGood(tx: Pick<Tx, "select">, instanceId: string) {
  const good = goodBackups(tx).all({ instanceId });
  return good.find(({ id }) => !isOfWayBack(id)) ?? good[0];
}

const lastGood = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ instanceId: backups.instanceId, at: max(backups.takenAt) })
    .from(backups)
    .where(
      and(
        inArray(backups.instanceId, sql`(select value from json_each(${given("instanceIds")}))`),
        eq(backups.state, "good"),
        isNotNull(backups.takenAt),
      ),
    )
    .groupBy(backups.instanceId)
    .prepare(),
);

/** When the newest good backup of each instance was taken. */
export function lastGoodBackups(
  tx: Pick<Tx, "select">,
  instanceIds: readonly string[],
): ReadonlyMap<string, number> {
  const rows = lastGood(tx).all({ instanceIds: JSON.stringify(instanceIds) });
  return new Map(rows.flatMap(({ instanceId, at }) => (at === null ? [] : [[instanceId, at] as const])));
}
