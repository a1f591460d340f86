import { and, desc, eq, inArray, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { aliases, instances, operations, snapshots } from "#db/schema.ts";
import type { HealthView, InstanceDetail, InstanceRow, OperationView } from "#server/api/views.ts";
import type { Env } from "#server/env.ts";
import { isKeptSnapshot } from "#server/operations/backupUses.ts";
import { backupSummary, lastGoodBackups } from "#server/operations/goodBackups.ts";
import { olderResumable, operationsPage, operationViews } from "#server/operations/queries.ts";
import { newestRestorePoint } from "#server/operations/restorePoints.ts";
import { withHalfData } from "#server/operations/unfinishedChanges.ts";
import { staleness } from "./backupPlan.ts";
import { lastAnswerOf, lastDay, lastRound, type Round } from "./healthHistory.ts";
import { refusalsOf, stateOf } from "./refusals.ts";
import { instanceUrl } from "./url.ts";
import { previousSet, visibleVariables } from "./variables.ts";

type Row = typeof instances.$inferSelect;

/** The newest operation of each instance, found along the index one by one. */
const newestOperations = (tx: Tx, instanceIds: readonly string[]) =>
  tx
    .select()
    .from(operations)
    .where(
      inArray(
        operations.id,
        sql`(select (select newest.id from operations newest where newest.instance_id = wanted.value
          order by newest.sequence desc limit 1) from json_each(${JSON.stringify(instanceIds)}) wanted)`,
      ),
    )
    .all();

const idsOf = (rows: readonly Row[]) => rows.map((row) => row.id);

/** How to show each of these rows, with what was read for all of them at once. */
function rowViewer(env: Env, tx: Tx, rows: readonly Row[], views: readonly OperationView[]) {
  const byInstance = new Map(views.map((view) => [view.instanceId, view]));
  const lastGood = lastGoodBackups(tx, idsOf(rows));
  const halfData = withHalfData(tx, idsOf(rows));
  const round = lastRound(tx);
  return (row: Row): InstanceRow =>
    rowView(env, row, {
      operation: byInstance.get(row.id) ?? null,
      lastGoodBackupAt: lastGood.get(row.id) ?? null,
      dataMayBeHalf: halfData.has(row.id),
      round,
    });
}

const rowsWith = (env: Env, tx: Tx, rows: readonly Row[], views: readonly OperationView[]): InstanceRow[] =>
  rows.map(rowViewer(env, tx, rows, views));

/** Rows as the list has them: of an operation that is over without its steps, which no list shows. */
export const listedRows = (env: Env, tx: Tx, rows: readonly Row[]): InstanceRow[] =>
  rowsWith(env, tx, rows, operationViews(tx, newestOperations(tx, idsOf(rows)), "of live ones"));

/** The instances with these ids, newest first, each with its newest operation and all of that's steps. */
export const instanceRows = (env: Env, tx: Tx, ids: readonly string[]): InstanceRow[] =>
  rowsWith(env, tx, rowsById(tx, ids), operationViews(tx, newestOperations(tx, ids)));

const rowsById = (tx: Tx, ids: readonly string[]) =>
  tx
    .select()
    .from(instances)
    .where(inArray(instances.id, sql`(select value from json_each(${JSON.stringify(ids)}))`))
    .orderBy(desc(instances.createdAt), desc(instances.id))
    .all();

type Around = {
  operation: InstanceRow["operation"];
  lastGoodBackupAt: number | null;
  dataMayBeHalf: boolean;
  round: Round | undefined;
};

function rowView(
  env: Env,
  row: Row,
  { operation, lastGoodBackupAt, dataMayBeHalf, round }: Around,
): InstanceRow {
  const { backupPlan, createdAt } = row;
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
    priceMonthlyCents: row.priceMonthlyCents,
    createdAt: row.createdAt,
    destroyedAt: row.destroyedAt,
    answeredAt: lastAnswerOf(row, operation, round),
    answeredInMs: row.answeredInMs,
    silentSince: row.silentSince,
    isProtected: row.isProtected,
    dropletId: row.dropletId,
    dropletGoneAt: row.dropletGoneAt,
    lastGoodBackupAt,
    backupWarning:
      row.destroyedAt === null
        ? staleness(backupPlan, { lastGoodAt: lastGoodBackupAt, createdAt, now: Date.now() })
        : null,
    refusals: refusalsOf(stateOf(row, { hasBackup: lastGoodBackupAt !== null, dataMayBeHalf })),
    operation,
  };
}

/** A batch's instances, each with the batch's operation even if a later one exists; as slim as the list's rows. */
export function batchRows(env: Env, tx: Tx, batchId: string): InstanceRow[] {
  const batch = tx.select().from(operations).where(eq(operations.batchId, batchId)).all();
  const views = operationViews(tx, batch, "of live ones");
  return rowsWith(
    env,
    tx,
    rowsById(
      tx,
      views.map((view) => view.instanceId),
    ),
    views,
  );
}

/** Everything the instance's page shows: the live or newest one of that slug, or an older one by its id. */
export function instanceDetail(env: Env, tx: Tx, slug: string, id?: string): InstanceDetail | undefined {
  const all = tx
    .select()
    .from(instances)
    .where(eq(instances.slug, slug))
    .orderBy(sql`${instances.destroyedAt} is not null`, desc(instances.createdAt))
    .all();
  const row =
    id === undefined
      ? (all[0] ?? movedFrom(tx, slug))
      : tx.select().from(instances).where(eq(instances.id, id)).get();
  if (row === undefined) return undefined;
  const before = previousSet(tx, row);
  const bringsBack = newestRestorePoint(tx, row);
  const { operations: views, next } = operationsPage(tx, row.id);
  return {
    ...rowViewer(env, tx, [row], views.slice(0, 1))(row),
    contactName: row.contactName,
    contactEmail: row.contactEmail,
    ipAddress: row.ipAddress,
    snapshotAt: row.snapshotAt,
    bringsBack: bringsBack === undefined ? null : { from: bringsBack.from, at: bringsBack.at },
    keepDestroyedDays: env.keepDestroyedDays,
    keptUntil: row.keptUntil,
    purgedAt: row.purgedAt,
    backupPlan: row.backupPlan,
    nextBackupAt: row.nextBackupAt,
    snapshots: tx
      .select({
        id: snapshots.id,
        name: snapshots.name,
        sizeGb: snapshots.sizeGb,
        takenAt: snapshots.takenAt,
      })
      .from(snapshots)
      .where(and(eq(snapshots.instanceId, row.id), isKeptSnapshot))
      .orderBy(desc(snapshots.takenAt))
      .all(),
    backups: backupSummary(tx, row.id),
    redirects: tx
      .select()
      .from(aliases)
      .where(and(eq(aliases.instanceId, row.id), eq(aliases.role, "redirect")))
      .all()
      .map((alias) => ({ url: instanceUrl(env, alias), until: alias.expiresAt })),
    previousVariables:
      before === undefined
        ? null
        : { set: before, variables: visibleVariables(tx, { id: row.id, variableSet: before }) },
    variables: visibleVariables(tx, row),
    operations: views,
    hasOlderOperations: next !== null,
    resumable: next === null ? null : (olderResumable(tx, row.id, next) ?? null),
    namesakes: all
      .filter((one) => one.id !== row.id)
      .map(({ id: namesakeId, company, status, createdAt }) => ({
        id: namesakeId,
        company,
        status,
        createdAt,
      })),
  };
}

/** How an instance answered in the last 24 hours; undefined when there is no such instance. */
export function instanceHealth(tx: Tx, id: string, now: number): HealthView | undefined {
  const row = tx.select().from(instances).where(eq(instances.id, id)).get();
  return row === undefined ? undefined : lastDay(tx, row, now);
}

/** An instance that had this slug until it moved, while that address still leads to it. */
function movedFrom(tx: Tx, slug: string): Row | undefined {
  return tx
    .select({ instance: instances })
    .from(aliases)
    .innerJoin(instances, eq(instances.id, aliases.instanceId))
    .where(eq(aliases.slug, slug))
    .get()?.instance;
}
