import { and, desc, eq, gte } from "drizzle-orm";
import { type Db, type Tx, write } from "../../db/client.ts";
import { audit, instances, operations, steps, wakeUps } from "../../db/schema.ts";
import type { Clock } from "../clock.ts";
import { Refusal } from "../refusal.ts";
import { catalogue } from "./catalogue.ts";
import { appendEvent } from "./events.ts";
import { stepsOf } from "./outcome.ts";
import { cancelRefusal, type OperationRow, retryRefusal } from "./plan.ts";

/** What a command works with. */
type CommandContext = Pick<Clock, "now" | "monotonic"> & { db: Db };

function find(tx: Tx, operationId: string) {
  const operation = tx.select().from(operations).where(eq(operations.id, operationId)).get();
  if (operation === undefined) throw new Refusal("not-found", "There is no such operation.");
  return operation;
}

/** Whether nothing has been done with the instance since: only the newest operation may be taken up again. */
function isNewest(tx: Tx, operation: OperationRow): boolean {
  const newest = tx
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.instanceId, operation.instanceId), eq(operations.mutating, operation.mutating)))
    .orderBy(desc(operations.sequence))
    .get();
  return newest?.id === operation.id;
}

const overtaken =
  "Something else has been done with this instance since. Only the newest can be taken up again.";

/**
 * Asks an operation to stop: honoured between steps, and by stopping a running playbook. What it has done so far is
 * undone; of a failed one as well. Twice is once.
 */
export function cancelOperation(context: CommandContext, operationId: string, who: string): void {
  const now = context.now();
  write(context.db, (tx) => {
    const operation = find(tx, operationId);
    if (operation.cancelRequestedAt !== null) return;
    const definition = catalogue[operation.kind];
    const refusal = cancelRefusal(definition, operation, stepsOf(tx, operationId));
    if (refusal !== undefined) throw new Refusal("not-now", refusal);
    if (operation.state === "failed") {
      if (!isNewest(tx, operation)) throw new Refusal("not-now", overtaken);
      goOn(tx, operation, { state: "running" });
    }
    tx.update(operations).set({ cancelRequestedAt: now }).where(eq(operations.id, operationId)).run();
    wakeNow(tx, operationId, context.monotonic());
    record(tx, operation, who, now, `cancelled ${definition.label.toLowerCase()}`);
  });
}

/** Goes on with a failed operation from the step that failed; after an automatic way back, from where that led. */
export function retryOperation(context: CommandContext, operationId: string, who: string): void {
  const now = context.now();
  write(context.db, (tx) => {
    const operation = find(tx, operationId);
    if (operation.state === "running") return;
    const refusal = retryRefusal(operation);
    if (refusal !== undefined) throw new Refusal("not-now", refusal);
    if (!isNewest(tx, operation)) throw new Refusal("not-now", overtaken);
    const definition = catalogue[operation.kind];
    const cancels = operation.cancelRequestedAt !== null;
    const again = {
      state: "waiting" as const,
      attempts: 0,
      dueAt: context.monotonic(),
      startedAt: null,
      startedMonotonic: null,
      endedAt: null,
      failure: null,
      progress: null,
    };
    const ofThis = eq(steps.operationId, operationId);
    if (!cancels && definition.rescue !== undefined) {
      tx.delete(steps)
        .where(and(ofThis, eq(steps.undo, true)))
        .run();
      const redo = stepsOf(tx, operationId).find((row) => row.name === definition.rescue?.redoFrom);
      const failed = stepsOf(tx, operationId).find((row) => row.state === "failed");
      const from = Math.min(redo?.position ?? 0, failed?.position ?? 0);
      tx.update(steps)
        .set(again)
        .where(and(ofThis, gte(steps.position, from)))
        .run();
    }
    tx.update(steps)
      .set(again)
      .where(and(ofThis, eq(steps.state, "failed")))
      .run();
    goOn(tx, operation, { state: cancels ? "cancelling" : "running" });
    wakeNow(tx, operationId, context.monotonic());
    record(tx, operation, who, now, `tried ${definition.label.toLowerCase()} again`);
  });
}

/** The operation is live again, in a round of its own. */
function goOn(tx: Tx, operation: OperationRow, { state }: { state: "running" | "cancelling" }): void {
  const { during } = catalogue[operation.kind].status;
  tx.update(operations)
    .set({ state, round: operation.round + 1, failure: null, endedAt: null })
    .where(eq(operations.id, operation.id))
    .run();
  if (during !== "before")
    tx.update(instances).set({ status: during }).where(eq(instances.id, operation.instanceId)).run();
}

function wakeNow(tx: Tx, operationId: string, dueAt: number): void {
  tx.insert(wakeUps)
    .values({ operationId, dueAt, sentAt: null })
    .onConflictDoUpdate({ target: wakeUps.operationId, set: { dueAt, sentAt: null } })
    .run();
}

function record(tx: Tx, operation: OperationRow, who: string, at: number, what: string): void {
  const { id: operationId, instanceId } = operation;
  tx.insert(audit).values({ at, who, what, instanceId, operationId }).run();
  appendEvent(tx, { at, kind: "operation", instanceId, operationId, data: {} });
}
