import { and, asc, count, eq, inArray, isNotNull, lt, ne, or, sql } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { given, prepared, setTo } from "#db/prepared.ts";
import { operations, steps } from "#db/schema.ts";
import type { Instance, SlotName } from "./define.ts";
import type { Engine } from "./engine.ts";
import { appendEvent } from "./events.ts";
import { holdLease, isHeld } from "./lease.ts";
import { appendUndo, settle, setWakeUp } from "./outcome.ts";
import { isStopping, type OperationRow, type PlanRow, runnable, type StepRow, stepsByName } from "./plan.ts";
import { preparedQueries } from "./preparedQueries.ts";

export type Claim = {
  operation: OperationRow;
  instance: Instance;
  step: StepRow;
  /** What to do with the step: run it, or stop what it left running outside. */
  errand: "run" | "stop";
};

/**
 * Takes the next due step of the operation by compare-and-set: the fence token grows with every claim, and whoever
 * holds an older one can write nothing any more. Undefined when there is nothing to do now.
 */
export function claimStep(engine: Engine, operationId: string): Claim | undefined {
  return write(engine.db, (tx) => {
    const queries = preparedQueries(tx);
    const operation = queries.operation(operationId);
    if (operation === undefined) return undefined;
    if (operation.state !== "running" && operation.state !== "cancelling") {
      queries.clearWakeUp(operationId);
      return undefined;
    }
    const instance = queries.instance(operation.instanceId);
    if (instance === undefined) return undefined;
    holdLease(engine, tx);
    const at = engine.monotonic();
    const isFree = ({ name, claimedBy }: PlanRow) => !isHeld(engine, { operationId, name, claimedBy });

    let rows = queries.plan(operationId);
    if (operation.cancelRequestedAt !== null && operation.state === "running") {
      const begun = rows.filter((row) => row.state === "running");
      const due = begun.find((row) => isFree(row) && (!isStopping(row) || row.dueAt <= at));
      const row = due && queries.step({ operationId, name: due.name });
      if (row !== undefined) return take(engine, tx, { operation, instance, rows, row, errand: "stop" });
      if (begun.length > 0) {
        setWakeUp(engine, tx, { operation, rows });
        return undefined;
      }
      beginUndo(engine, tx, operation);
      operation.state = "cancelling";
      rows = queries.plan(operationId);
    }
    const heads = runnable(rows).filter(isFree);
    const due = heads.filter((row) => row.dueAt <= at).sort((a, b) => a.dueAt - b.dueAt);
    for (const planned of due) {
      const row = queries.step({ operationId, name: planned.name });
      if (row === undefined) continue;
      if (!hasSlot(engine, tx, operation, row)) {
        planned.dueAt = row.dueAt;
        continue;
      }
      const errand = isStopping(row) ? "stop" : "run";
      return take(engine, tx, { operation, instance, rows, row, errand });
    }
    settle(engine, tx, { operation, rows });
    return undefined;
  });
}

function take(
  engine: Engine,
  tx: Tx,
  { operation, instance, rows, row, errand }: Omit<Claim, "step"> & { rows: PlanRow[]; row: StepRow },
): Claim {
  const at = engine.monotonic();
  const begins = row.state === "waiting";
  const step: StepRow = {
    ...row,
    fence: row.fence + 1,
    claimedBy: engine.worker.id,
    state: "running",
    startedAt: row.startedAt ?? engine.now(),
    startedMonotonic: row.startedMonotonic ?? at,
    queuedAt: null,
    progress: begins ? null : row.progress,
  };
  preparedQueries(tx).claim(step);
  if (begins)
    appendEvent(tx, {
      at: engine.now(),
      kind: "step",
      instanceId: operation.instanceId,
      operationId: operation.id,
      step: row.name,
      data: { state: "running" },
    });
  setWakeUp(engine, tx, { operation, rows: rows.map((each) => (each.name === row.name ? step : each)) });
  return { operation, instance, step, errand };
}

/** Cancelled: what has not begun never will, and what must be put away becomes the rest of the plan. */
function beginUndo(engine: Engine, tx: Tx, operation: OperationRow): void {
  const now = engine.now();
  tx.update(steps)
    .set({ state: "cancelled", endedAt: now, claimedBy: null, queuedAt: null })
    .where(and(eq(steps.operationId, operation.id), inArray(steps.state, ["waiting", "running", "failed"])))
    .run();
  // What an automatic way back has begun belongs to the same way back.
  appendUndo(engine, tx, operation, engine.registry[operation.kind].undo);
  tx.update(operations).set({ state: "cancelling" }).where(eq(operations.id, operation.id)).run();
  appendEvent(tx, {
    at: now,
    kind: "operation",
    instanceId: operation.instanceId,
    operationId: operation.id,
    data: { state: "cancelling" },
  });
}

const slotQueries = prepared((tx: Pick<Tx, "select" | "update">) => {
  const hasSlotKind = inArray(steps.name, sql`(select value from json_each(${given("names")}))`);
  const isQueued = and(hasSlotKind, eq(steps.state, "waiting"), isNotNull(steps.queuedAt));
  return {
    held: tx
      .select({ count: count() })
      .from(steps)
      .where(and(hasSlotKind, eq(steps.state, "running")))
      .prepare(),
    ahead: tx
      .select({ count: count() })
      .from(steps)
      .where(
        and(
          isQueued,
          ne(steps.operationId, given("operationId")),
          or(
            lt(steps.queuedAt, given("queuedAt")),
            and(eq(steps.queuedAt, given("queuedAt")), lt(steps.operationId, given("operationId"))),
          ),
        ),
      )
      .prepare(),
    queue: tx
      .update(steps)
      .set({ queuedAt: setTo("queuedAt"), dueAt: setTo("dueAt"), progress: setTo("progress") })
      .where(and(eq(steps.operationId, given("operationId")), eq(steps.name, given("name"))))
      .prepare(),
    queued: tx
      .select({ operationId: steps.operationId })
      .from(steps)
      .where(isQueued)
      .orderBy(asc(steps.queuedAt), asc(steps.operationId))
      .limit(given("most"))
      .prepare(),
  };
});

/** Whether the step may begin: only so many of its kind at once; those that wait longest go first. */
function hasSlot(engine: Engine, tx: Tx, operation: OperationRow, row: StepRow): boolean {
  const slot = stepsByName(engine.registry[operation.kind]).get(row.name)?.slot;
  if (slot === undefined || row.state === "running") return true;
  const at = engine.monotonic();
  const names = stepsWithSlot(engine, slot);
  const queries = slotQueries(tx);
  const held = queries.held.get({ names });
  const queuedAt = row.queuedAt ?? at;
  const ahead = queries.ahead.get({ names, operationId: operation.id, queuedAt });
  const taken = held?.count ?? 0;
  const before = ahead?.count ?? 0;
  if (taken + before < engine.slots[slot]) return true;
  // How many have to come to an end before this one may begin.
  const waitsFor = taken + before - engine.slots[slot] + 1;
  const isNews = row.progress?.ahead !== waitsFor;
  const progress = { ahead: waitsFor };
  Object.assign(row, { queuedAt, dueAt: at + 1000, progress });
  queries.queue.run({ ...row, progress: JSON.stringify(progress) });
  if (isNews)
    appendEvent(tx, {
      at: engine.now(),
      kind: "step",
      instanceId: operation.instanceId,
      operationId: operation.id,
      step: row.name,
      data: { ahead: waitsFor },
    });
  return false;
}

/** The names of all steps that take a slot of this kind, as JSON. */
function stepsWithSlot(engine: Engine, slot: SlotName): string {
  const names = new Set<string>();
  for (const definition of Object.values(engine.registry))
    for (const [name, step] of stepsByName(definition)) if (step.slot === slot) names.add(name);
  return JSON.stringify([...names]);
}

/** Operations whose next step waits for a slot of this kind: they are told at once when one has become free. */
export function waitingForSlot(engine: Engine, slot: SlotName): string[] {
  return slotQueries(engine.db)
    .queued.all({ names: stepsWithSlot(engine, slot), most: engine.slots[slot] })
    .map((row) => row.operationId);
}
