import { and, gt, isNull, lte, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { instances } from "#db/schema.ts";
import { oldestMs } from "./backupPlan.ts";
import type { Page } from "./instancePages.ts";

type Reader = Pick<Tx, "select">;

/** When the newest good backup of the instance in the query was taken; null without one. */
const lastGoodAt = sql<number | null>`(select max(good.taken_at) from backups good
  where good.instance_id = instances.id and good.state = 'good' and good.taken_at is not null)`;

const every = sql`json_extract(${instances.backupPlan}, '$.every')`;

/** As `staleness` says of one: see there. */
const isStale = (now: number) =>
  sql`${now} - max(coalesce(${lastGoodAt}, ${instances.createdAt}), json_extract(${instances.backupPlan}, '$.setAt'))
    > case ${every} when 'day' then ${oldestMs.day} when 'week' then ${oldestMs.week} end`;

/** The instances whose newest good backup is older than their plan means it to be, by name; and how many there are. */
export const staleInstances = (
  tx: Reader,
  now: number,
  { limit = -1, page }: { limit?: number; page?: Page } = {},
) =>
  tx
    .select({ instance: instances, lastGoodAt, all: sql<number>`count(*) over ()` })
    .from(instances)
    .where(
      and(
        page && and(gt(instances.id, page.after), lte(instances.id, page.upTo)),
        isNull(instances.destroyedAt),
        sql`${every} <> 'never'`,
        isStale(now),
      ),
    )
    .orderBy(instances.sortName, instances.id)
    .limit(limit)
    .all();

/** How many instances there are that are not destroyed, and of how many a good backup was taken since then. */
export const backedUpSince = (tx: Reader, since: number) =>
  tx
    .select({
      live: sql<number>`count(*)`,
      fresh: sql<number>`count(*) filter (where exists (select 1 from backups good
        where good.instance_id = instances.id and good.state = 'good' and good.taken_at > ${since}))`,
    })
    .from(instances)
    .where(isNull(instances.destroyedAt))
    .get() ?? { live: 0, fresh: 0 };
