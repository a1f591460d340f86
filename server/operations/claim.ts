import { and, asc, count, eq, inArray, isNotNull, lt, ne, or, sql } from "drizzle-orm";
import { type Tx, write } from "../../db/client.ts";
import { instances, operations, steps, wakeUps } from "../../db/schema.ts";
import type { Instance } from "./definition.ts";
import { type Engine, leaseMs } from "./engine.ts";
import { appendEvent } from "./events.ts";
import { appendUndo, finishIfOver, setWakeUp, stepsOf } from "./outcome.ts";
import { type OperationRow, runnable, type StepRow, stepsByName } from "./plan.ts";

export type Claim = {
  operation: OperationRow;
  instance: Instance;
  step: StepRow;
  /** What to do with the step: run it, or stop what it left running outside. */
  errand: "run" | "stop";
  /** Another step of the operation is due as well. */
  moreDue: boolean;
};

/**
 * Takes the next due step of the operation by compare-and-set: the fence token grows with every claim, and whoever
 * holds an older one can write nothing any more. Undefined when there is nothing to do now.
 */
export function claimStep(engine: Engine, operationId: string): Claim | undefined {
  return write(engine.db, (tx) => {
    const operation = tx.select().from(operations).where(eq(operations.id, operationId)).get();
    if (operation === undefined) return undefined;
    if (operation.state !== "running" && operation.state !== "cancelling") {
      tx.delete(wakeUps).where(eq(wakeUps.operationId, operationId)).run();
      return undefined;
    }
    const instance = tx.select().from(instances).where(eq(instances.id, operation.instanceId)).get();
    if (instance === undefined) return undefined;
    const at = engine.monotonic();
    const isFree = (row: StepRow) =>
      row.claimedBy === null || (row.claimedUntil ?? 0) <= at || !engine.isAlive(row.claimedBy);

    const rows = stepsOf(tx, operationId);
    if (operation.cancelRequestedAt !== null && operation.state === "running") {
      const held = rows.filter((row) => row.state === "running");
      const free = held.find(isFree);
      if (held.length > 0 && free === undefined) return undefined;
      if (free !== undefined)
        return take(engine, tx, { operation, instance, row: free, errand: "stop", moreDue: true });
      beginUndo(engine, tx, operation);
      operation.state = "cancelling";
    }
    const heads = runnable(stepsOf(tx, operationId)).filter(isFree);
    const due = heads.filter((row) => row.dueAt <= at).sort((a, b) => a.dueAt - b.dueAt);
    for (const row of due) {
      if (!hasPlace(engine, tx, operation, row)) continue;
      return take(engine, tx, { operation, instance, row, errand: "run", moreDue: due.length > 1 });
    }
    finishIfOver(engine, tx, operation);
    setWakeUp(engine, tx, operationId);
    return undefined;
  });
}

function take(
  engine: Engine,
  tx: Tx,
  { operation, instance, row, errand, moreDue }: Omit<Claim, "step"> & { row: StepRow },
): Claim {
  const at = engine.monotonic();
  const begins = row.state === "waiting";
  const claimed = {
    fence: row.fence + 1,
    claimedBy: engine.claimant,
    claimedUntil: at + leaseMs,
    state: "running" as const,
    startedAt: row.startedAt ?? engine.now(),
    startedMonotonic: row.startedMonotonic ?? at,
    queuedAt: null,
    progress: begins ? null : row.progress,
  };
  tx.update(steps).set(claimed).where(thisStep(row)).run();
  if (begins)
    appendEvent(tx, {
      at: engine.now(),
      kind: "step",
      instanceId: operation.instanceId,
      operationId: operation.id,
      step: row.name,
      data: { state: "running" },
    });
  setWakeUp(engine, tx, operation.id);
  return { operation, instance, step: { ...row, ...claimed }, errand, moreDue };
}

/** Cancelled: what has not begun never will, and what must be put away becomes the rest of the plan. */
function beginUndo(engine: Engine, tx: Tx, operation: OperationRow): void {
  const now = engine.now();
  tx.update(steps)
    .set({ state: "cancelled", endedAt: now, claimedBy: null, claimedUntil: null, queuedAt: null })
    .where(and(eq(steps.operationId, operation.id), inArray(steps.state, ["waiting", "running", "failed"])))
    .run();
  // What an automatic way back has begun belongs to the same way back.
  appendUndo(engine, tx, operation, engine.catalogue[operation.kind].undo);
  tx.update(operations).set({ state: "cancelling" }).where(eq(operations.id, operation.id)).run();
  appendEvent(tx, {
    at: now,
    kind: "operation",
    instanceId: operation.instanceId,
    operationId: operation.id,
    data: { state: "cancelling" },
  });
}

/** Whether the step may begin: only so many playbooks at once; those that wait longest go first. */
function hasPlace(engine: Engine, tx: Tx, operation: OperationRow, row: StepRow): boolean {
  const planned = stepsByName(engine.catalogue[operation.kind]).get(row.name);
  if (planned?.takesPlace !== true || row.state === "running") return true;
  const at = engine.monotonic();
  const names = placeTakers(engine);
  const held = tx
    .select({ count: count() })
    .from(steps)
    .where(and(inArray(steps.name, names), eq(steps.state, "running")))
    .get();
  const queuedAt = row.queuedAt ?? at;
  const ahead = tx
    .select({ count: count() })
    .from(steps)
    .where(
      and(
        inArray(steps.name, names),
        eq(steps.state, "waiting"),
        isNotNull(steps.queuedAt),
        ne(steps.operationId, operation.id),
        or(
          lt(steps.queuedAt, queuedAt),
          and(eq(steps.queuedAt, queuedAt), lt(steps.operationId, operation.id)),
        ),
      ),
    )
    .get();
  const taken = held?.count ?? 0;
  const before = ahead?.count ?? 0;
  if (taken + before < engine.places) return true;
  // How many have to come to an end before this one may begin.
  const waitsFor = taken + before - engine.places + 1;
  tx.update(steps)
    .set({ queuedAt, dueAt: at + 1000, progress: { ahead: waitsFor } })
    .where(thisStep(row))
    .run();
  if (row.progress?.ahead !== waitsFor)
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

function placeTakers(engine: Engine): string[] {
  const names = new Set<string>();
  for (const definition of Object.values(engine.catalogue))
    for (const [name, step] of stepsByName(definition)) if (step.takesPlace) names.add(name);
  return [...names];
}

/** Operations whose next step waits for a place: they are told at once when one has become free. */
export function waitingForPlace(tx: Tx, limit: number): string[] {
  return tx
    .select({ operationId: steps.operationId })
    .from(steps)
    .where(and(eq(steps.state, "waiting"), isNotNull(steps.queuedAt)))
    .orderBy(asc(steps.queuedAt), asc(steps.operationId))
    .limit(limit)
    .all()
    .map((row) => row.operationId);
}

export const thisStep = (row: Pick<StepRow, "operationId" | "name">) =>
  and(eq(steps.operationId, row.operationId), eq(steps.name, row.name));

/** Renews a claim while its step runs; false when it has passed to somebody else. */
export function renewClaim(engine: Engine, row: StepRow): boolean {
  const result = engine.db
    .update(steps)
    .set({ claimedUntil: engine.monotonic() + leaseMs })
    .where(and(thisStep(row), eq(steps.fence, row.fence)))
    .run();
  return result.changes === 1;
}

/** Frees what dead processes held: run at boot, so that nothing waits for a lease to end. */
export function releaseDeadClaims(engine: Engine): void {
  write(engine.db, (tx) => {
    for (const row of tx.select().from(steps).where(isNotNull(steps.claimedBy)).all()) {
      if (row.claimedBy !== null && row.claimedBy !== engine.claimant && !engine.isAlive(row.claimedBy))
        tx.update(steps)
          .set({ claimedBy: null, claimedUntil: null, fence: sql`${steps.fence} + 1` })
          .where(thisStep(row))
          .run();
    }
  });
}
