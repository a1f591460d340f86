import { and, asc, desc, eq, gt, inArray, isNotNull, lt, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import type { OperationKind } from "#db/schema.ts";
import { events, instances, operations, steps } from "#db/schema.ts";
import type { LogLine, OperationView, StepView } from "#server/api/views.ts";
import { hindrancesOf } from "./cancelAndRetry.ts";
import { aftermathOf } from "./engine/aftermath.ts";
import { plannedSteps } from "./engine/define.ts";
import { percentile } from "./engine/durations.ts";
import { type Choice, choicesOf, isStopping, type OperationRow, type StepRow } from "./engine/plan.ts";
import { canBeResumed } from "./engine/resumable.ts";
import { packedLines } from "./packedLogs.ts";
import { registry } from "./registry.ts";

type Usual = Map<string, { usualMs: number; slowMs: number; runs: number }>;

const runsLookedAt = 40;
const runsNeeded = 3;

/** How long each step of this kind of operation took in its last runs. */
function usualDurations(tx: Tx, kind: OperationKind): Usual {
  const recent = tx
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.kind, kind), eq(operations.state, "done")))
    .orderBy(desc(operations.endedAt))
    .limit(runsLookedAt)
    .all()
    .map((row) => row.id);
  if (recent.length === 0) return new Map();
  const rows = tx
    .select({ name: steps.name, startedAt: steps.startedAt, endedAt: steps.endedAt })
    .from(steps)
    .where(
      and(
        inArray(steps.operationId, recent), // Behind a plus, because the index of states leads to every step that was ever done.
        sql`+${steps.state} = 'done'`,
        isNotNull(steps.endedAt),
      ),
    )
    .all();
  const byName = new Map<string, number[]>();
  for (const row of rows)
    byName.set(row.name, [...(byName.get(row.name) ?? []), (row.endedAt ?? 0) - (row.startedAt ?? 0)]);
  return new Map(
    [...byName]
      .filter(([, times]) => times.length >= runsNeeded)
      .map(([name, times]) => [
        name,
        { usualMs: percentile(times, 0.5), slowMs: percentile(times, 0.9), runs: times.length },
      ]),
  );
}

function stepView(row: StepRow, usual: Usual): StepView {
  return {
    name: row.name,
    label: row.label,
    fork: row.fork,
    branch: row.branch,
    undo: row.undo,
    state: row.state,
    attempts: row.attempts,
    startedAt: row.startedAt,
    endedAt: row.endedAt,
    progress: row.progress,
    failure: isStopping(row) ? null : row.failure,
    usualMs: usual.get(row.name)?.usualMs ?? null,
    slowMs: usual.get(row.name)?.slowMs ?? null,
  };
}

function refusalOf(choice: Choice): string | null {
  if ("refusal" in choice) return choice.refusal;
  return choice.does === "nothing" ? "It's already in progress." : null;
}

const isLive = ({ state }: OperationRow) => state === "running" || state === "cancelling";

/** Operations as the page draws them, in the order given; if so wished, those that are over without their steps and what is told beside them. */
export function operationViews(
  tx: Tx,
  rows: readonly OperationRow[],
  shownSteps: "all" | "of live ones" = "all",
): OperationView[] {
  const isDrawn = (row: OperationRow) => shownSteps === "all" || isLive(row);
  // Whether one that failed can be retried depends on its steps.
  const ids = rows.filter((row) => isDrawn(row) || row.state === "failed").map((row) => row.id);
  const byOperation = new Map<string, StepRow[]>();
  for (const step of tx
    .select()
    .from(steps)
    .where(inArray(steps.operationId, ids))
    .orderBy(asc(steps.position))
    .all())
    byOperation.set(step.operationId, [...(byOperation.get(step.operationId) ?? []), step]);
  const usual = new Map<OperationKind, Usual>();
  const instanceOf = new Map(
    tx
      .select()
      .from(instances)
      .where(inArray(instances.id, [...new Set(rows.map((row) => row.instanceId))]))
      .all()
      .map((instance) => [instance.id, instance]),
  );
  return rows.map((row) => {
    const definition = registry[row.kind];
    const instance = instanceOf.get(row.instanceId);
    const usualOf = (kind: OperationKind) => {
      const known = usual.get(kind) ?? usualDurations(tx, kind);
      usual.set(kind, known);
      return known;
    };
    const ownSteps = byOperation.get(row.id) ?? [];
    const { cancel, retry } = choicesOf(definition, row, ownSteps, hindrancesOf(tx, row));
    return {
      id: row.id,
      kind: row.kind,
      label: definition.label,
      instanceId: row.instanceId,
      state: row.state,
      createdBy: row.createdBy,
      createdAt: row.createdAt,
      endedAt: row.endedAt,
      failure: row.failure,
      cancelRequestedAt: row.cancelRequestedAt,
      batchId: row.batchId,
      cancelling: isDrawn(row) ? definition.userMessages.cancelling : "",
      aftermath:
        instance === undefined || !isDrawn(row) ? null : aftermathOf(definition, row, instance, ownSteps),
      cancelRefusal: refusalOf(cancel),
      canRetry: refusalOf(retry) === null,
      steps: isDrawn(row) ? ownSteps.map((step) => stepView(step, usualOf(row.kind))) : [],
    };
  });
}

/** So many operations an instance's page has at once. */
const newestShown = 20;

/** An instance's operations, newest first; with a cursor those before it. */
export function operationsPage(
  tx: Tx,
  instanceId: string,
  { cursor, limit = newestShown }: { cursor?: number | null | undefined; limit?: number } = {},
): { operations: OperationView[]; next: number | null } {
  const rows = tx
    .select()
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, instanceId),
        cursor == null ? undefined : lt(operations.sequence, cursor),
      ),
    )
    .orderBy(desc(operations.sequence))
    .limit(limit + 1)
    .all();
  const page = rows.slice(0, limit);
  return {
    operations: operationViews(tx, page),
    next: rows.length > limit ? (page.at(-1)?.sequence ?? null) : null,
  };
}

/** An instance has seldom more than one operation that failed and can still be taken up: one of each kind of work. */
const resumableLookedAt = 5;

/** Of an instance's operations before that one, the newest that failed and can still be taken up. */
export function olderResumable(tx: Tx, instanceId: string, before: number): OperationView | undefined {
  const rows = tx
    .select()
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, instanceId),
        sql`operations.state = 'failed'`,
        canBeResumed(),
        lt(operations.sequence, before),
      ),
    )
    .orderBy(desc(operations.sequence))
    .limit(resumableLookedAt)
    .all();
  return operationViews(tx, rows).find((view) => view.canRetry);
}

/** One operation, and the instance it belongs to; undefined when there is none. */
export function operationWithSlug(tx: Tx, operationId: string) {
  const row = tx
    .select({ operation: operations, slug: instances.slug })
    .from(operations)
    .innerJoin(instances, eq(instances.id, operations.instanceId))
    .where(eq(operations.id, operationId))
    .get();
  const operation = row === undefined ? undefined : operationViews(tx, [row.operation])[0];
  if (row === undefined || operation === undefined) return undefined;
  return { operation, slug: row.slug, instanceId: operation.instanceId };
}

/** The plan of an operation before anything ran. */
export function planView(tx: Tx, kind: OperationKind) {
  const usual = usualDurations(tx, kind);
  const waiting = { undo: false, attempts: 0, startedAt: null, endedAt: null, progress: null, failure: null };
  const views: StepView[] = plannedSteps(registry[kind]).map(({ step, fork, branch }) => ({
    ...waiting,
    name: step.name,
    label: step.label,
    fork,
    branch,
    state: "waiting",
    usualMs: usual.get(step.name)?.usualMs ?? null,
    slowMs: usual.get(step.name)?.slowMs ?? null,
  }));
  const whole = tx
    .select({ createdAt: operations.createdAt, endedAt: operations.endedAt })
    .from(operations)
    .where(and(eq(operations.kind, kind), eq(operations.state, "done")))
    .orderBy(desc(operations.endedAt))
    .limit(runsLookedAt)
    .all()
    .map((row) => (row.endedAt ?? 0) - row.createdAt);
  return {
    label: registry[kind].label,
    runs: whole.length,
    usualMs: whole.length < runsNeeded ? null : percentile(whole, 0.5),
    steps: views,
  };
}

const logData = z.object({ text: z.string(), failed: z.boolean() });

export function logLineOf(event: typeof events.$inferSelect): LogLine {
  const { text, failed } = logData.parse(event.data);
  return { id: event.id, at: event.at, step: event.step ?? "", text, failed };
}

/** The log of an operation, or of one of its steps, oldest line first. */
export function logLines(
  tx: Tx,
  operationId: string,
  options: { step?: string | undefined; afterId?: number } = {},
): LogLine[] {
  const { step, afterId = 0 } = options;
  const packed = packedLines(tx, operationId, afterId);
  const others = tx
    .select()
    .from(events)
    .where(
      and(
        eq(events.operationId, operationId),
        eq(events.kind, "log"),
        step === undefined ? undefined : eq(events.step, step),
        gt(events.id, afterId),
      ),
    )
    .orderBy(asc(events.id))
    .all()
    .map(logLineOf);
  return [...packed.filter((line) => step === undefined || line.step === step), ...others];
}
