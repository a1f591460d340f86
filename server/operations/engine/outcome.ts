import { eq } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import type { Failure, OperationState, StepProgress, StepState } from "#db/schema.ts";
import { instances, steps } from "#db/schema.ts";
import { addFailedMail } from "#server/mail/outbox.ts";
import { maskSecrets } from "#server/masking.ts";
import { ProviderError } from "#server/providers/errors.ts";
import type { Claim } from "./claim.ts";
import {
  type AnyFacts,
  type Instance,
  isPlannedFor,
  type LogEntry,
  type Outcome,
  type StatusAfter,
  type Step,
  StepFailure,
} from "./define.ts";
import type { Engine } from "./engine.ts";
import { appendEvent } from "./events.ts";
import { assertHeld, heldStep, leaseUntil } from "./lease.ts";
import { allOver, isStopping, type OperationRow, type PlanRow, runnable, type StepRow } from "./plan.ts";
import { preparedQueries } from "./preparedQueries.ts";

export const stepsOf = (tx: Tx, operationId: string): StepRow[] => preparedQueries(tx).steps(operationId);

/** The values that nobody may read; opened when there is something to mask. */
export type Secrets = () => readonly string[];

/** True while the claim is still the newest one: what follows in the same transaction may then be written. */
const stillHeld = (engine: Engine, row: StepRow): boolean =>
  preparedQueries(engine.db).fence(row) === row.fence;

/** Commits facts in the middle of a step, before a call to the outside. Throws when the claim has passed on. */
export function rememberFacts(engine: Engine, claim: Claim, facts: AnyFacts): void {
  write(engine.db, (tx) => {
    assertHeld(engine, claim.step);
    mergeFacts(tx, claim.operation.id, facts);
  });
}

function mergeFacts(tx: Tx, operationId: string, facts: AnyFacts): void {
  const queries = preparedQueries(tx);
  queries.setFacts(operationId, { ...queries.facts(operationId), ...facts });
}

/** How long the step has been running, in ms. */
export const elapsedOf = (engine: Pick<Engine, "monotonic">, { startedMonotonic }: StepRow): number =>
  startedMonotonic === null ? 0 : engine.monotonic() - startedMonotonic;

/** Writes what a step came back with: facts, step, log, event and the next wake-up, in one transaction. */
export function commitOutcome(
  engine: Engine,
  claim: Claim,
  step: Step<AnyFacts>,
  outcome: Outcome<AnyFacts>,
  secrets: Secrets,
): void {
  const isWritten = write(engine.db, (tx) => {
    if (!stillHeld(engine, claim.step)) return false;
    const now = engine.now();
    learn(tx, claim, outcome, secrets);
    if (outcome.done) {
      endStep(engine, tx, claim, outcome.skipped === true ? "skipped" : "done");
    } else if (step.giveUp !== undefined && elapsedOf(engine, claim.step) > step.giveUp.afterMs) {
      const last = outcome.progress?.label ?? claim.step.progress?.label;
      failStep(engine, tx, claim, step, {
        userMessage: step.giveUp.userMessage,
        detail: last === undefined ? step.giveUp.userMessage : maskSecrets(last, secrets()),
      });
    } else {
      const progress =
        outcome.progress === undefined ? claim.step.progress : maskProgress(outcome.progress, secrets);
      const dueAt = engine.monotonic() + (outcome.afterMs ?? step.everyMs);
      preparedQueries(tx).lookAgain(claim.step, { dueAt, progress });
      if (JSON.stringify(progress) !== JSON.stringify(claim.step.progress))
        stepEvent(tx, claim, now, "running");
    }
    settle(engine, tx, wholeOf(tx, claim.operation.id));
    return true;
  });
  if (isWritten) outcome.afterwards?.();
}

const maskProgress = (progress: StepProgress, secrets: Secrets): StepProgress =>
  progress.label === undefined ? progress : { ...progress, label: maskSecrets(progress.label, secrets()) };

/** Writes that an attempt went wrong: another one later while the budget lasts, else a failure that Joe decides on. */
export function commitFault(
  engine: Engine,
  claim: Claim,
  step: Step<AnyFacts>,
  error: unknown,
  secrets: Secrets,
): void {
  const fault = describe(error);
  const failure: Failure = {
    userMessage: maskSecrets(fault.userMessage, secrets()),
    detail: maskSecrets(fault.detail, secrets()),
  };
  write(engine.db, (tx) => {
    if (!stillHeld(engine, claim.step)) return;
    const now = engine.now();
    if (error instanceof StepFailure) learn(tx, claim, { log: error.log }, secrets);
    // Being asked to wait is not a failed attempt.
    const attempts = claim.step.attempts + (fault.retryAfterMs === undefined ? 1 : 0);
    const timeIsUp = step.giveUp !== undefined && elapsedOf(engine, claim.step) > step.giveUp.afterMs;
    if (!fault.retryable || attempts >= step.tries || timeIsUp) {
      tx.update(steps).set({ attempts }).where(heldStep(claim.step)).run();
      failStep(engine, tx, claim, step, failure);
    } else {
      putOff(tx, claim, {
        attempts,
        dueAt: engine.monotonic() + (fault.retryAfterMs ?? backoffMs(engine, attempts)),
        progress: { ...claim.step.progress, label: failure.userMessage },
      });
      logLines(tx, claim, [{ at: now, text: `${failure.userMessage} Trying again.` }], secrets);
      stepEvent(tx, claim, now, "running");
    }
    settle(engine, tx, wholeOf(tx, claim.operation.id));
  });
}

const backoffMs = ({ random }: Engine, attempts: number): number =>
  Math.min(30_000, 1000 * 2 ** Math.max(0, attempts - 1)) * (0.5 + random() / 2);

/** Hands the claim back. The fence goes up as well: a call of this attempt that still hangs can do nothing any more. */
function putOff(
  tx: Tx,
  { step }: Claim,
  next: Partial<Pick<StepRow, "attempts" | "dueAt" | "progress" | "failure">>,
): void {
  tx.update(steps)
    .set({ ...next, claimedBy: null, fence: step.fence + 1 })
    .where(heldStep(step))
    .run();
}

/**
 * The step has failed for good: at once when nothing of it can be running outside, else once that is stopped. Until
 * then its row is running with a failure: see isStopping.
 */
function failStep(engine: Engine, tx: Tx, claim: Claim, step: Step<AnyFacts>, failure: Failure): void {
  if (step.stop === undefined) {
    endStep(engine, tx, claim, "failed", failure);
    return;
  }
  const progress = { ...claim.step.progress, label: "Stopping what is still running" };
  putOff(tx, claim, { failure, dueAt: engine.monotonic(), progress });
  stepEvent(tx, claim, engine.now(), "running");
}

/** Writes that what the step left running is stopped: only now it has failed, or is cancelled. */
export function commitStopped(engine: Engine, claim: Claim): void {
  write(engine.db, (tx) => {
    if (!stillHeld(engine, claim.step)) return;
    const { failure } = claim.step;
    if (isCancelled(tx, claim) || failure === null) endStep(engine, tx, claim, "cancelled");
    else endStep(engine, tx, claim, "failed", failure);
    settle(engine, tx, wholeOf(tx, claim.operation.id));
  });
}

/** Writes that it could not be stopped. It is tried until it is: nothing else may run beside it. */
export function commitStopFault(engine: Engine, claim: Claim, error: unknown, secrets: Secrets): void {
  const { userMessage, detail } = describe(error);
  const fault: Failure = {
    userMessage: maskSecrets(userMessage, secrets()),
    detail: maskSecrets(detail, secrets()),
  };
  write(engine.db, (tx) => {
    if (!stillHeld(engine, claim.step)) return;
    const attempts = claim.step.attempts + 1;
    putOff(tx, claim, {
      attempts,
      dueAt: engine.monotonic() + backoffMs(engine, attempts),
      failure: claim.step.failure ?? fault,
      progress: { ...claim.step.progress, label: `It couldn't be stopped yet: ${fault.userMessage}` },
    });
    stepEvent(tx, claim, engine.now(), "running");
    setWakeUp(engine, tx, wholeOf(tx, claim.operation.id));
  });
}

/** Hands back a step that Cancel has cut short: what it left is stopped next, then the undo begins. */
export function commitCutShort(engine: Engine, claim: Claim): void {
  write(engine.db, (tx) => {
    if (!stillHeld(engine, claim.step)) return;
    putOff(tx, claim, { dueAt: engine.monotonic() });
    setWakeUp(engine, tx, wholeOf(tx, claim.operation.id));
  });
}

function isCancelled(tx: Tx, { operation }: Claim): boolean {
  const row = preparedQueries(tx).operation(operation.id);
  return row !== undefined && row.cancelRequestedAt !== null && row.state === "running";
}

type Fault = { userMessage: string; detail: string; retryable: boolean; retryAfterMs: number | undefined };

function describe(error: unknown): Fault {
  if (error instanceof StepFailure)
    return {
      userMessage: error.userMessage,
      detail: error.detail,
      retryable: false,
      retryAfterMs: undefined,
    };
  if (error instanceof ProviderError)
    return {
      userMessage: error.userMessage,
      detail: error.detail,
      retryable: error.retryable,
      retryAfterMs: error.retryAfterMs,
    };
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    userMessage: "Something unexpected went wrong in the Spawner.",
    detail,
    retryable: true,
    retryAfterMs: undefined,
  };
}

function learn(
  tx: Tx,
  claim: Claim,
  learned: {
    facts?: AnyFacts;
    instance?: Partial<Instance>;
    log?: LogEntry[];
    rows?: (tx: Tx) => void;
  },
  secrets: Secrets,
): void {
  learned.rows?.(tx);
  if (learned.facts !== undefined) mergeFacts(tx, claim.operation.id, learned.facts);
  if (learned.instance !== undefined)
    tx.update(instances).set(learned.instance).where(eq(instances.id, claim.instance.id)).run();
  if (learned.log !== undefined) logLines(tx, claim, learned.log, secrets);
}

function logLines(tx: Tx, claim: Claim, lines: readonly LogEntry[], secrets: Secrets): void {
  for (const line of lines)
    appendEvent(tx, {
      at: line.at,
      kind: "log",
      instanceId: claim.instance.id,
      operationId: claim.operation.id,
      step: claim.step.name,
      data: { text: maskSecrets(line.text, secrets()), failed: line.failed === true },
    });
}

function endStep(engine: Engine, tx: Tx, claim: Claim, state: StepState, failure?: Failure): void {
  const now = engine.now();
  preparedQueries(tx).endStep(claim.step, { state, at: now, failure: failure ?? null });
  if (failure !== undefined)
    logLines(tx, claim, [{ at: now, text: failure.userMessage, failed: true }], () => []);
  stepEvent(tx, claim, now, state);
}

function stepEvent(tx: Tx, claim: Claim, at: number, state: StepState): void {
  appendEvent(tx, {
    at,
    kind: "step",
    instanceId: claim.instance.id,
    operationId: claim.operation.id,
    step: claim.step.name,
    data: { state },
  });
}

/** Adds what puts things back to the plan; a step that is there already is done once more. */
export function appendUndo(
  engine: Engine,
  tx: Tx,
  operation: Pick<OperationRow, "id" | "facts">,
  undo: readonly Step<AnyFacts>[],
): void {
  const first = stepsOf(tx, operation.id).length;
  undo.filter(isPlannedFor(operation.facts)).forEach((step, index) => {
    const fresh = {
      label: step.label,
      position: first + index,
      undo: true,
      state: "waiting" as const,
      attempts: 0,
      dueAt: engine.monotonic(),
      startedAt: null,
      startedMonotonic: null,
      endedAt: null,
      progress: null,
      failure: null,
    };
    tx.insert(steps)
      .values({ operationId: operation.id, name: step.name, ...fresh })
      .onConflictDoUpdate({ target: [steps.operationId, steps.name], set: fresh })
      .run();
  });
}

/** An operation and the plan of its steps, as they are in the transaction that is open. */
type Whole = { operation: OperationRow; rows: readonly PlanRow[] };

export function wholeOf(tx: Tx, operationId: string): Whole {
  const queries = preparedQueries(tx);
  const operation = queries.operation(operationId);
  if (operation === undefined) throw new Error(`There is no operation ${operationId}.`);
  return { operation, rows: queries.plan(operationId) };
}

const isLive = ({ state }: OperationRow): boolean => state === "running" || state === "cancelling";

/** Draws the conclusion from what has been written: the operation ends, or wants to be looked at again. */
export function settle(engine: Engine, tx: Tx, whole: Whole): void {
  const hasChanged = isLive(whole.operation) && finishIfOver(engine, tx, whole);
  setWakeUp(engine, tx, hasChanged ? wholeOf(tx, whole.operation.id) : whole);
}

/**
 * Ends the operation once nothing is left to do: done, cancelled, or failed (after the way back, if there is one). Says
 * whether it has changed anything.
 */
function finishIfOver(engine: Engine, tx: Tx, { operation, rows }: Whole): boolean {
  // Cancel wins over whatever fails: the next claim begins the undo. After the last step it changes nothing any more.
  const isDone = rows.every(({ state }) => state === "done" || state === "skipped");
  if (operation.state === "running" && operation.cancelRequestedAt !== null && !isDone) return false;
  const { status, rescue } = engine.registry[operation.kind];
  const failed = rows.filter((row) => row.state === "failed");
  if (failed.length > 0) {
    if (runnable(rows).length > 0) return false;
    const stuck = failed.find((row) => row.undo);
    // Before that step nothing has been changed that would have to be put back.
    const changed = rows.some((row) => row.name === rescue?.redoFrom && row.state !== "waiting");
    if (!rows.some((row) => row.undo) && rescue !== undefined && changed) {
      appendUndo(engine, tx, operation, rescue.steps);
      return true;
    }
    const failure = (stuck ?? failed[0])?.failure ?? null;
    end(engine, tx, operation, "failed", stuck === undefined ? status.failed : "failed", failure);
    return true;
  }
  if (!allOver(rows)) return false;
  const cancelled = operation.state === "cancelling";
  const [state, after] = cancelled
    ? (["cancelled", status.cancelled] as const)
    : (["done", status.done] as const);
  end(engine, tx, operation, state, after, null);
  return true;
}

function end(
  engine: Engine,
  tx: Tx,
  operation: OperationRow,
  state: OperationState,
  after: StatusAfter,
  failure: Failure | null,
): void {
  const now = engine.now();
  const definition = engine.registry[operation.kind];
  const status = after === "before" ? operation.statusBefore : after;
  const queries = preparedQueries(tx);
  queries.endOperation(operation.id, { state, at: now, failure });
  // What runs beside another operation leaves the status to that one.
  if (definition.status.during !== "before") {
    queries.setStatus(operation.instanceId, status);
    if (status === "destroyed" && after !== "before")
      tx.update(instances)
        .set({ destroyedAt: now, keptUntil: now + engine.keepDestroyedMs })
        .where(eq(instances.id, operation.instanceId))
        .run();
  }
  definition.ended?.(tx, operation, state, now);
  appendEvent(tx, {
    at: now,
    kind: "operation",
    instanceId: operation.instanceId,
    operationId: operation.id,
    data: { state, status },
  });
  if (state === "failed") addFailedMail(tx, engine, operation);
}

/** Sets when the operation wants to be looked at next, for the queue to be told; in the transaction that is open. */
export function setWakeUp(engine: Engine, tx: Tx, { operation, rows }: Whole): void {
  const queries = preparedQueries(tx);
  if (!isLive(operation)) {
    queries.clearWakeUp(operation.id);
    return;
  }
  const cancels = operation.cancelRequestedAt !== null && operation.state === "running";
  const now = engine.monotonic();
  // A claimed step is looked at again when its claim would end: by then its holder has said something, or is dead.
  const times = runnable(rows).map((row) => {
    if (row.claimedBy !== null) return leaseUntil(engine, row.claimedBy) ?? now;
    return cancels && !isStopping(row) ? now : row.dueAt;
  });
  queries.setWakeUp(operation.id, times.length === 0 ? now : Math.min(...times));
}
