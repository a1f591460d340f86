import { and, desc, eq, inArray, sql } from "drizzle-orm";
import type { Tx } from "../../db/client.ts";
import { instances, operations } from "../../db/schema.ts";
import type { Env } from "../env.ts";
import { operationViews } from "../operations/queries.ts";
import type { InstanceDetail, InstanceRow } from "../views.ts";
import { instanceUrl } from "./address.ts";
import { instanceRefusals } from "./rules.ts";
import { visibleVariables } from "./variables.ts";

type Row = typeof instances.$inferSelect;

/** Rows of the list, newest first: all of them, or those with the given ids. */
export function instanceRows(env: Env, tx: Tx, ids?: readonly string[]): InstanceRow[] {
  const rows = tx
    .select()
    .from(instances)
    .where(ids === undefined ? undefined : inArray(instances.id, [...ids]))
    .orderBy(desc(instances.createdAt), desc(instances.id))
    .all();
  const newest = tx
    .select()
    .from(operations)
    .where(
      and(
        inArray(
          operations.instanceId,
          rows.map((row) => row.id),
        ),
        sql`not exists (select 1 from operations later where later.instance_id = operations.instance_id
          and (later.created_at, later.id) > (operations.created_at, operations.id))`,
      ),
    )
    .all();
  const byInstance = new Map(operationViews(tx, newest).map((view) => [view.instanceId, view]));
  return rows.map((row) => rowView(env, row, byInstance.get(row.id) ?? null));
}

function rowView(env: Env, row: Row, operation: InstanceRow["operation"]): InstanceRow {
  return {
    id: row.id,
    company: row.company,
    slug: row.slug,
    domain: row.domain,
    url: instanceUrl(env, row),
    status: row.status,
    region: row.region,
    size: row.size,
    version: row.version,
    priceMonthlyCents: row.priceMonthly,
    createdAt: row.createdAt,
    destroyedAt: row.destroyedAt,
    answeredAt: row.answeredAt,
    answeredInMs: row.answeredInMs,
    silentSince: row.silentSince,
    operation,
  };
}

/** Everything the instance's page shows: the live or newest one of that slug, or an older one by its id. */
export function instanceDetail(env: Env, tx: Tx, slug: string, id?: string): InstanceDetail | undefined {
  const all = tx
    .select()
    .from(instances)
    .where(eq(instances.slug, slug))
    .orderBy(sql`${instances.destroyedAt} is not null`, desc(instances.createdAt))
    .all();
  const row = id === undefined ? all[0] : all.find((one) => one.id === id);
  if (row === undefined) return undefined;
  const views = operationViews(
    tx,
    tx
      .select()
      .from(operations)
      .where(eq(operations.instanceId, row.id))
      .orderBy(desc(operations.createdAt), desc(operations.id))
      .all(),
  );
  return {
    ...rowView(env, row, views[0] ?? null),
    contactName: row.contactName,
    contactEmail: row.contactEmail,
    address: row.address,
    dropletId: row.dropletId,
    snapshotAt: row.snapshotAt,
    variables: visibleVariables(tx, row.id),
    operations: views,
    namesakes: all
      .filter((one) => one.id !== row.id)
      .map(({ id: namesakeId, company, status, createdAt }) => ({
        id: namesakeId,
        company,
        status,
        createdAt,
      })),
    refusals: { destroy: instanceRefusals(row).destroy ?? null },
  };
}
