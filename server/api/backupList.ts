import { and, desc, eq, lt, type SQL, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { backups, instances } from "#db/schema.ts";
import type { BackupView } from "#server/api/views.ts";
import { backedUpSince, staleInstances } from "#server/instances/backupAge.ts";
import { staleness } from "#server/instances/backupPlan.ts";
import { matches } from "#server/instances/list.ts";
import { refusalsOf, stateOf } from "#server/instances/refusals.ts";
import { isThere, lastGoodBackups } from "#server/operations/goodBackups.ts";
import { withHalfData } from "#server/operations/unfinishedChanges.ts";

type Reader = Pick<Tx, "select">;

const pageSize = 50;
const dayMs = 86_400_000;
/** So many instances whose backups are too old are named. */
const staleNamed = 20;

const isBad = sql`(state = 'failed' or restore_test_failure is not null)`;
/** What the page lets choose from. */
const filters = {
  all: sql`true`,
  tested: sql`(restore_tested_at is not null and not ${isBad})`,
  untested: sql`(state = 'good' and restore_tested_at is null and not ${isBad})`,
  bad: isBad,
} as const satisfies Record<string, SQL>;
const filterNames = ["all", "tested", "untested", "bad"] as const;

export const backupsInput = z.object({
  instanceId: z.string().max(64).optional(),
  /** Part of the company or the address. */
  search: z.string().max(200).default(""),
  filter: z.enum(filterNames).default("all"),
});

/** A page of the backups that are there or being made, newest first: of all instances, or of one. */
export function backupsPage(
  tx: Reader,
  { instanceId, search, filter }: z.infer<typeof backupsInput>,
  cursor?: number | null,
): { backups: BackupView[]; next: number | null } {
  const found = matches(search);
  const rows = tx
    .select({ backup: backups, instance: instances })
    .from(backups)
    .innerJoin(instances, eq(instances.id, backups.instanceId))
    .where(
      and(
        isThere,
        filters[filter],
        instanceId === undefined ? undefined : eq(backups.instanceId, instanceId),
        cursor == null ? undefined : lt(backups.sequence, cursor),
        found === undefined
          ? undefined
          : sql`${backups.instanceId} in (select id from instances where ${found})`,
      ),
    )
    .orderBy(desc(backups.sequence))
    .limit(pageSize + 1)
    .all();
  const page = rows.slice(0, pageSize);
  const instanceIds = [...new Set(page.map(({ instance }) => instance.id))];
  const lastGood = lastGoodBackups(tx, instanceIds);
  const halfData = withHalfData(tx, instanceIds);
  const views = page.map(({ backup, instance }): BackupView => {
    const {
      key: _key,
      sha256: _sha256,
      operationId: _operation,
      contents,
      removedAt: _gone,
      ...row
    } = backup;
    return {
      ...row,
      company: instance.company,
      slug: instance.slug,
      files: contents?.files ?? null,
      counts: contents?.counts ?? {},
      refusals: refusalsOf(
        stateOf(instance, { hasBackup: lastGood.has(instance.id), dataMayBeHalf: halfData.has(instance.id) }),
      ),
    };
  });
  return { backups: views, next: rows.length > pageSize ? (page.at(-1)?.backup.sequence ?? null) : null };
}

/** What all backups add up to, and of which instances they are too old. */
export function backupsSummary(tx: Reader, now: number) {
  const counted = (filter: keyof typeof filters) => sql<number>`count(*) filter (where ${filters[filter]})`;
  const sums = tx
    .select({
      all: counted("all"),
      tested: counted("tested"),
      untested: counted("untested"),
      bad: counted("bad"),
      bytes: sql<number>`coalesce(sum(bytes), 0)`,
    })
    .from(backups)
    .where(isThere)
    .get();
  const stale = staleInstances(tx, now, { limit: staleNamed });
  return {
    ...backedUpSince(tx, now - dayMs),
    ...(sums ?? { all: 0, tested: 0, untested: 0, bad: 0, bytes: 0 }),
    stale: stale.map(({ instance: { id, company, backupPlan, createdAt }, lastGoodAt }) => ({
      ...{ id, company },
      backupWarning: staleness(backupPlan, { lastGoodAt, createdAt, now }) ?? "",
    })),
    staleCount: stale[0]?.all ?? 0,
  };
}
