import type { operations, steps } from "../../db/schema.ts";
import { type AnyDefinition, type AnyFacts, plannedSteps, type Step } from "./definition.ts";

type Row = Pick<typeof steps.$inferSelect, "name" | "position" | "fork" | "branch" | "state" | "undo">;
export type StepRow = typeof steps.$inferSelect;
export type OperationRow = typeof operations.$inferSelect;

const isOver = (row: Row) => row.state === "done" || row.state === "skipped" || row.state === "cancelled";

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
  for (const { step } of plannedSteps(definition)) byName.set(step.name, step);
  for (const step of [...definition.undo, ...(definition.rescue?.steps ?? [])]) byName.set(step.name, step);
  namedSteps.set(definition, byName);
  return byName;
}

/** Why an operation cannot be cancelled now, in a sentence; undefined when it can. */
export function cancelRefusal(
  definition: AnyDefinition,
  operation: Pick<OperationRow, "state" | "cancelRequestedAt">,
  rows: readonly Pick<StepRow, "name" | "state" | "undo">[],
): string | undefined {
  if (operation.cancelRequestedAt !== null) return "It is being cancelled already.";
  const byName = stepsByName(definition);
  const isFinal = rows.some((row) => row.state !== "waiting" && byName.get(row.name)?.final === true);
  if (isFinal && (operation.state === "failed" || operation.state === "running"))
    return `${definition.label} cannot be stopped any more at this point.`;
  if (operation.state === "failed") {
    if (rows.some((row) => row.undo)) return "What it did has been put back already.";
    return definition.undo.length === 0 ? "It has failed, and there is nothing to put back." : undefined;
  }
  return operation.state === "running" ? undefined : "It is over already: there is nothing to cancel.";
}

/** Why a failed operation cannot go on, in a sentence; undefined when it can. */
export function retryRefusal(operation: Pick<OperationRow, "state">): string | undefined {
  return operation.state === "failed" ? undefined : "Only what has failed can be tried again.";
}
