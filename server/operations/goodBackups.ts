import { and, count, desc, eq, inArray, isNotNull, max, not, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { backups, type JsonObject } from "#db/schema.ts";
import type { BackupSummary } from "#server/api/views.ts";
import { CommandError } from "#server/commandError.ts";
import { isRowOfWayBack, type Source, sourceFact } from "#server/operations/steps/dump.ts";

type Backup = typeof backups.$inferSelect;

const newest = prepared((tx: Pick<Tx, "select">) => {
  const goodOf = and(eq(backups.instanceId, given("instanceId")), sql`state = 'good'`);
  return {
    asked: tx
      .select()
      .from(backups)
      .where(and(goodOf, not(isRowOfWayBack)))
      .orderBy(desc(backups.sequence))
      .limit(1)
      .prepare(),
    any: tx.select().from(backups).where(goodOf).orderBy(desc(backups.sequence)).limit(1).prepare(),
  };
});

/**
 * The newest good backup of an instance. What a way back has put aside is not what the instance had afterwards: it comes
 * last, whatever its age.
 */
export const newestGood = (tx: Pick<Tx, "select">, instanceId: string) =>
  newest(tx).asked.get({ instanceId }) ?? newest(tx).any.get({ instanceId });

/** Neither removed nor being removed: in the words of the indexes of such backups. */
export const isThere = sql`state in ('running', 'good', 'failed')`;

const summary = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({
      count: count(),
      good: sql<number>`count(*) filter (where ${backups.state} = 'good')`,
      goodBytes: sql<number>`coalesce(sum(${backups.bytes}) filter (where ${backups.state} = 'good'), 0)`,
    })
    .from(backups)
    .where(and(eq(backups.instanceId, given("instanceId")), isThere))
    .prepare(),
);

/** How many backups of an instance there are, and what is known of its newest good one. */
export function backupSummary(tx: Pick<Tx, "select">, instanceId: string): BackupSummary {
  const { count, good, goodBytes } = summary(tx).get({ instanceId }) ?? { count: 0, good: 0, goodBytes: 0 };
  const best = newestGood(tx, instanceId);
  return {
    ...{ count, good, goodBytes },
    newestGood:
      best === undefined
        ? null
        : {
            bytes: best.bytes ?? 0,
            takenAt: best.takenAt ?? best.createdAt,
            restoreTestedAt: best.restoreTestedAt,
          },
  };
}

const lastGood = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ instanceId: backups.instanceId, at: max(backups.takenAt) })
    .from(backups)
    .where(
      and(
        inArray(backups.instanceId, sql`(select value from json_each(${given("instanceIds")}))`),
        sql`state = 'good'`,
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

/** A good backup as the operations need it. Throws a CommandError when there is none that could be restored. */
export function sourceOf(row: Backup | undefined): Source {
  if (row === undefined) throw new CommandError("not-found", "This backup doesn't exist.");
  const { id, key, bytes, sha256, contents, version, state } = row;
  if (state !== "good" || bytes === null || sha256 === null || contents === null)
    throw new CommandError("not-now", "Only a good backup can be restored, and this one isn't good.");
  return { id, key, bytes, sha256, tree: contents.tree, version };
}

/** The backup that an operation reads, as its facts name it. */
export const sourceIdOf = (facts: JsonObject) => sourceFact.safeParse(facts.source).data?.id;

/** The row of a backup; undefined when there is none. */
export const backupRow = (tx: Pick<Tx, "select">, backupId: string) =>
  tx.select().from(backups).where(eq(backups.id, backupId)).get();
