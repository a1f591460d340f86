import { and, eq, gt, gte, ne, notInArray, or, type SQL, sql } from "drizzle-orm";
import { type Db, type Tx, write } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { audit, instances, operations, steps, wakeUps } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { CommandError } from "#server/commandError.ts";
import { appendEvent } from "./engine/events.ts";
import { stepsOf } from "./engine/outcome.ts";
import { choicesOf, type Hindrances, type OperationRow } from "./engine/plan.ts";
import { changeNothing } from "./engine/resumable.ts";
import { registry } from "./registry.ts";
import { isStuckReplacingData } from "./unfinishedChanges.ts";

/** What a command works with. */
type CommandContext = Pick<Clock, "now" | "monotonic"> & { db: Db };

function find(tx: Tx, operationId: string) {
  const operation = tx.select().from(operations).where(eq(operations.id, operationId)).get();
  if (operation === undefined) throw new CommandError("not-found", "This operation doesn't exist.");
  return operation;
}

const queries = prepared((tx: Pick<Tx, "select">) => {
  const isOther = and(eq(operations.instanceId, given("instanceId")), ne(operations.id, given("id")));
  return {
    since: tx
      .select({ id: operations.id })
      .from(operations)
      .where(
        and(
          isOther,
          sql`${operations.mutating} = ${given("mutating")}`,
          gt(operations.sequence, given("sequence")),
          or(eq(operations.kind, given("kind")), notInArray(operations.kind, changeNothing())),
        ),
      )
      .limit(1)
      .prepare(),
    /** As the index of the one live operation of each instance has it. */
    live: tx
      .select({ kind: operations.kind })
      .from(operations)
      .where(and(isOther, sql`mutating = 1 and state in ('running', 'cancelling')`))
      .prepare(),
    instance: tx
      .select({ isProtected: instances.isProtected, status: instances.status })
      .from(instances)
      .where(eq(instances.id, given("instanceId")))
      .prepare(),
  };
});

/**
 * Why a failed operation cannot become live again, in a sentence: something else is being done with the instance, or
 * has been, so that what it knows may not be true any more. What changes nothing (a backup) does not count, but for
 * one of its own kind: that did since what had failed.
 */
function obstacleTo(tx: Pick<Tx, "select">, operation: OperationRow): string | undefined {
  const { id, instanceId, kind, sequence, mutating } = operation;
  const ask = queries(tx);
  if (ask.since.get({ id, instanceId, kind, sequence, mutating: Number(mutating) }) !== undefined)
    return "This instance has changed since, so this operation can't be continued.";
  const live = mutating ? ask.live.get({ id, instanceId }) : undefined;
  if (live === undefined) return undefined;
  return `Available once “${registry[live.kind].label}” has finished.`;
}

/** What stands in the way of a failed operation now. */
export const hindrancesOf = (tx: Pick<Tx, "select">, operation: OperationRow): Hindrances =>
  operation.state === "failed"
    ? { obstacle: obstacleTo(tx, operation), noRetry: noRetryOf(tx, operation) }
    : {};

/** Why a failed operation must not do once more what it was begun for: what has changed about its instance since. */
function noRetryOf(
  tx: Pick<Tx, "select">,
  { id, kind, instanceId }: Pick<OperationRow, "id" | "kind" | "instanceId">,
): string | undefined {
  const instance = queries(tx).instance.get({ instanceId });
  if (instance === undefined) return undefined;
  return registry[kind].noRetry?.({
    ...instance,
    isStuckReplacingData: isStuckReplacingData(tx, { id, kind }),
  });
}

/** What Cancel and Retry do with an operation now. */
const choicesNow = (tx: Tx, operation: OperationRow) =>
  choicesOf(registry[operation.kind], operation, stepsOf(tx, operation.id), hindrancesOf(tx, operation));

/**
 * Asks an operation to stop: honoured between steps, and by stopping what runs. What it has done so far is undone; of a
 * failed one as well. Twice is once, and an undo that failed goes on.
 */
export function cancelOperation(context: CommandContext, operationId: string, who: string): void {
  press(context, operationId, "cancel", who);
}

/**
 * Goes on with a failed operation from the step that failed; after an automatic way back, from where that led. One that
 * was cancelled goes on with its undo, never with what it was once begun for.
 */
export function retryOperation(context: CommandContext, operationId: string, who: string): void {
  press(context, operationId, "retry", who);
}

function press(context: CommandContext, operationId: string, button: "cancel" | "retry", who: string): void {
  write(context.db, (tx) => {
    const operation = find(tx, operationId);
    const choice = choicesNow(tx, operation)[button];
    if ("refusal" in choice) throw new CommandError("not-now", choice.refusal);
    if (choice.does === "nothing") return;
    if (choice.does === "begin-undo") beginUndo(context, tx, operation);
    else if (choice.does === "go-on-undoing") goOnUndoing(context, tx, operation);
    else goOn(context, tx, operation);
    wakeNow(tx, operationId, context.monotonic());
    const { company } = tx
      .select({ company: instances.company })
      .from(instances)
      .where(eq(instances.id, operation.instanceId))
      .get() ?? { company: "" };
    const label = `“${registry[operation.kind].label}” of ${company}`;
    record(
      tx,
      operation,
      who,
      context.now(),
      button === "cancel" ? `cancelled ${label}` : `retried ${label}`,
    );
  });
}

/** The engine does the rest: it first stops what runs. */
function beginUndo({ now }: CommandContext, tx: Tx, operation: OperationRow): void {
  if (operation.state === "failed") makeLive(tx, operation, "running");
  tx.update(operations)
    .set({ cancelRequestedAt: operation.cancelRequestedAt ?? now() })
    .where(eq(operations.id, operation.id))
    .run();
}

function goOnUndoing({ monotonic }: CommandContext, tx: Tx, operation: OperationRow): void {
  again(tx, monotonic(), and(eq(steps.operationId, operation.id), eq(steps.state, "failed")));
  makeLive(tx, operation, "cancelling");
}

function goOn({ monotonic }: CommandContext, tx: Tx, operation: OperationRow): void {
  const { rescue } = registry[operation.kind];
  const ofThis = eq(steps.operationId, operation.id);
  if (rescue !== undefined) {
    tx.delete(steps)
      .where(and(ofThis, eq(steps.undo, true)))
      .run();
    const rows = stepsOf(tx, operation.id);
    const redo = rows.find((row) => row.name === rescue.redoFrom);
    const failed = rows.find((row) => row.state === "failed");
    const from = Math.min(redo?.position ?? 0, failed?.position ?? 0);
    again(tx, monotonic(), and(ofThis, gte(steps.position, from)));
  }
  again(tx, monotonic(), and(ofThis, eq(steps.state, "failed")));
  makeLive(tx, operation, "running");
}

/** These steps are done anew. */
function again(tx: Tx, dueAt: number, which: SQL | undefined): void {
  tx.update(steps)
    .set({
      state: "waiting",
      attempts: 0,
      dueAt,
      startedAt: null,
      startedMonotonic: null,
      endedAt: null,
      failure: null,
      progress: null,
    })
    .where(which)
    .run();
}

/** The operation is live again, in a round of its own. */
function makeLive(tx: Tx, operation: OperationRow, state: "running" | "cancelling"): void {
  const { during } = registry[operation.kind].status;
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
