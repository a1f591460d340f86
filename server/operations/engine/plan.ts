import type { operations, steps } from "#db/schema.ts";
import { type AnyDefinition, type AnyFacts, everyStep, type Step } from "./define.ts";

type Row = Pick<typeof steps.$inferSelect, "name" | "position" | "fork" | "branch" | "state" | "undo">;
export type StepRow = typeof steps.$inferSelect;
/** As much of a step as says what is to be done next. */
export type PlanRow = Row & Pick<StepRow, "claimedBy" | "dueAt" | "failure">;
export type OperationRow = typeof operations.$inferSelect;

const isOver = (row: Pick<Row, "state">) =>
  row.state === "done" || row.state === "skipped" || row.state === "cancelled";

/** Given up, but what it left running outside is not seen to be stopped yet: only then it has failed. */
export const isStopping = (row: Pick<StepRow, "state" | "failure">): boolean =>
  row.state === "running" && row.failure !== null;

/**
 * The steps that may run now: position is data, not replay. On the main line that is the first one that is not over;
 * in a fork the first of each branch. A failed step stops its branch, the other branches still come to their end. Once
 * steps that undo are there, they are what is left to do.
 */
export function runnable<R extends Row>(rows: readonly R[]): R[] {
  const undoing = rows.some((row) => row.undo);
  const sorted = rows.filter((row) => !undoing || row.undo).sort((a, b) => a.position - b.position);
  const first = sorted.find((row) => !isOver(row));
  if (first === undefined) return [];
  if (first.fork === null) return first.state === "failed" ? [] : [first];
  const heads = new Map<number, R>();
  for (const row of sorted) {
    if (row.fork !== first.fork || row.branch === null || isOver(row) || heads.has(row.branch)) continue;
    heads.set(row.branch, row);
  }
  return [...heads.values()].filter((row) => row.state !== "failed");
}

export const allOver = (rows: readonly Row[]): boolean => rows.every(isOver);

const namedSteps = new WeakMap<AnyDefinition, Map<string, Step<AnyFacts>>>();

/** The steps of an operation by name, those that only a cancelled or a failed one runs included. */
export function stepsByName(definition: AnyDefinition): ReadonlyMap<string, Step<AnyFacts>> {
  const known = namedSteps.get(definition);
  if (known !== undefined) return known;
  const byName = new Map<string, Step<AnyFacts>>();
  for (const { step } of everyStep(definition)) byName.set(step.name, step);
  for (const step of [...definition.undo, ...(definition.rescue?.steps ?? [])]) byName.set(step.name, step);
  namedSteps.set(definition, byName);
  return byName;
}

/** What a press of Cancel or Retry does; `refusal` says in a sentence why it does nothing. */
export type Choice = { does: "nothing" | "go-on" | "begin-undo" | "go-on-undoing" } | { refusal: string };

/** What stands in the way of a failed operation, in sentences. */
export type Hindrances = { obstacle?: string | undefined; noRetry?: string | undefined };

const asked: Choice = { does: "nothing" };
const over = (refusal: string): Choice => ({ refusal });

/**
 * What Cancel and Retry do with an operation. The one table of it, for commands and pages alike. "Way back" are its
 * rows that undo: those of an automatic way back (`rescue`) before Cancel was pressed, those of `undo` after it.
 *
 * | state           | cancelled | way back | Cancel                  | Retry                     |
 * | --------------- | --------- | -------- | ----------------------- | ------------------------- |
 * | running         | no        | any      | begins the undo         | nothing: it runs          |
 * | running         | yes       | any      | nothing: it is asked    | nothing: it runs          |
 * | cancelling      | yes       | runs     | nothing: it is asked    | nothing: it runs          |
 * | failed          | no        | none     | begins the undo         | goes on                   |
 * | failed          | no        | over     | refused: it is put back | goes on where `redoFrom` says |
 * | failed          | no        | failed   | begins the undo         | goes on where `redoFrom` says |
 * | failed          | yes       | none     | begins the undo         | begins the undo           |
 * | failed          | yes       | failed   | goes on with the undo   | goes on with the undo     |
 * | done, cancelled |           |          | refused                 | refused                   |
 *
 * Where Cancel would begin the undo it is refused once a final step has begun, and for a failed operation that has
 * nothing to undo. `obstacle` is why a failed operation cannot become live again (something else was done since),
 * `noRetry` why it must not do once more what it was begun for: its way back stays open.
 */
export function choicesOf(
  definition: AnyDefinition,
  operation: Pick<OperationRow, "state" | "cancelRequestedAt">,
  rows: readonly Pick<StepRow, "name" | "state" | "undo">[],
  { obstacle, noRetry }: Hindrances = {},
): { cancel: Choice; retry: Choice } {
  const isCancelled = operation.cancelRequestedAt !== null;
  if (operation.state === "done" || operation.state === "cancelled")
    return {
      cancel: over("It has already finished, so there's nothing to cancel."),
      retry: over("Only a failed operation can be retried."),
    };
  const byName = stepsByName(definition);
  const isFinal = rows.some((row) => row.state !== "waiting" && byName.get(row.name)?.final === true);
  const undo: Choice = isFinal
    ? over(`${definition.label} can no longer be cancelled at this point.`)
    : { does: "begin-undo" };
  if (operation.state !== "failed") return { cancel: isCancelled ? asked : undo, retry: asked };
  if (obstacle !== undefined) return { cancel: over(obstacle), retry: over(obstacle) };
  const wayBack = rows.filter((row) => row.undo);
  if (isCancelled) {
    const on: Choice = { does: wayBack.length === 0 ? "begin-undo" : "go-on-undoing" };
    return { cancel: on, retry: on };
  }
  const retry: Choice = noRetry === undefined ? { does: "go-on" } : over(noRetry);
  if (wayBack.length > 0 && wayBack.every(isOver))
    return { cancel: over("It has already been rolled back."), retry };
  if (definition.undo.length === 0) return { cancel: over("It failed, and there's nothing to undo."), retry };
  return { cancel: undo, retry };
}
