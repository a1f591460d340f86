import { and, desc, eq } from "drizzle-orm";
import { type Db, type Tx, write } from "../../db/client.ts";
import { audit, instances, operations, steps, wakeUps } from "../../db/schema.ts";
import { Refusal } from "../refusal.ts";
import { catalogue } from "./catalogue.ts";
import { appendEvent } from "./events.ts";

function find(tx: Tx, operationId: string) {
  const operation = tx.select().from(operations).where(eq(operations.id, operationId)).get();
  if (operation === undefined) throw new Refusal("not-found", "There is no such operation.");
  return operation;
}

/** Asks a running operation to stop: honoured between steps, and by stopping a running playbook. Twice is once. */
export function cancelOperation(db: Db, operationId: string, who: string, now: number): void {
  write(db, (tx) => {
    const operation = find(tx, operationId);
    if (operation.cancelRequestedAt !== null) return;
    if (operation.state !== "running")
      throw new Refusal("not-now", "It is over already: there is nothing to cancel.");
    const definition = catalogue[operation.kind];
    if (!definition.cancellable)
      throw new Refusal("not-now", `${definition.label} cannot be stopped half-way.`);
    tx.update(operations).set({ cancelRequestedAt: now }).where(eq(operations.id, operationId)).run();
    wakeNow(tx, operationId, now);
    record(tx, operation, who, now, `cancelled ${definition.label.toLowerCase()}`);
  });
}

/** Goes on with a failed operation from the step that failed. */
export function retryOperation(db: Db, operationId: string, who: string, now: number): void {
  write(db, (tx) => {
    const operation = find(tx, operationId);
    if (operation.state === "running") return;
    if (operation.state !== "failed")
      throw new Refusal("not-now", "Only what has failed can be tried again.");
    const newest = tx
      .select({ id: operations.id })
      .from(operations)
      .where(eq(operations.instanceId, operation.instanceId))
      .orderBy(desc(operations.createdAt), desc(operations.id))
      .get();
    if (newest?.id !== operationId)
      throw new Refusal(
        "not-now",
        "Something else has been done with this instance since. Only the newest can be tried again.",
      );
    const definition = catalogue[operation.kind];
    tx.update(steps)
      .set({
        state: "waiting",
        attempts: 0,
        dueAt: now,
        startedAt: null,
        endedAt: null,
        failure: null,
        progress: null,
      })
      .where(and(eq(steps.operationId, operationId), eq(steps.state, "failed")))
      .run();
    // What a run of the playbook left behind belongs to the earlier round.
    const { provisionCursor: _cursor, provisionLost: _lost, ...facts } = operation.facts;
    tx.update(operations)
      .set({
        state: operation.cancelRequestedAt === null ? "running" : "cancelling",
        round: operation.round + 1,
        facts,
        failure: null,
        endedAt: null,
      })
      .where(eq(operations.id, operationId))
      .run();
    tx.update(instances)
      .set({ status: definition.status.during })
      .where(eq(instances.id, operation.instanceId))
      .run();
    wakeNow(tx, operationId, now);
    record(tx, operation, who, now, `tried ${definition.label.toLowerCase()} again`);
  });
}

function wakeNow(tx: Tx, operationId: string, now: number): void {
  tx.insert(wakeUps)
    .values({ operationId, dueAt: now, sentAt: null })
    .onConflictDoUpdate({ target: wakeUps.operationId, set: { dueAt: now, sentAt: null } })
    .run();
}

function record(
  tx: Tx,
  operation: typeof operations.$inferSelect,
  who: string,
  at: number,
  what: string,
): void {
  const { id: operationId, instanceId } = operation;
  tx.insert(audit).values({ at, who, what, instanceId, operationId }).run();
  appendEvent(tx, { at, kind: "operation", instanceId, operationId, data: {} });
}
