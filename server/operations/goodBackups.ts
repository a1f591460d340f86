import { and, count, desc, eq, inArray, isNotNull, max, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { backups, type JsonObject } from "#db/schema.ts";
import type { BackupSummary } from "#server/api/views.ts";
import { CommandError } from "#server/commandError.ts";

import { isOfWayBack, type Source, sourceFact } from "#server/operations/steps/dump.ts";

type Backup = typeof backups.$inferSelect;

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
  const newest = newestGood(tx, instanceId);
  return {
    ...{ count, good, goodBytes },
    newestGood:
      newest === undefined
        ? null
        : {
            bytes: newest.bytes ?? 0,
            takenAt: newest.takenAt ?? newest.createdAt,
            restoreTestedAt: newest.restoreTestedAt,
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
