import type { operations, steps } from "../../db/schema.ts";
import { type AnyDefinition, type AnyFacts, plannedSteps, type Step } from "./definition.ts";

type Row = Pick<typeof steps.$inferSelect, "name" | "position" | "fork" | "branch" | "state">;
export type StepRow = typeof steps.$inferSelect;
export type OperationRow = typeof operations.$inferSelect;

const isOver = (row: Row) => row.state === "done" || row.state === "skipped" || row.state === "cancelled";

/**
 * The steps that may run now: position is data, not replay. On the main line that is the first one that is not over;
 * in a fork the first of each branch. A failed step stops its branch, the other branches still come to their end.
 */
export function runnable<R extends Row>(rows: readonly R[]): R[] {
  const sorted = [...rows].sort((a, b) => a.position - b.position);
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

/** The steps of an operation by name, those that only a cancelled one runs included. */
export function stepsByName(definition: AnyDefinition): ReadonlyMap<string, Step<AnyFacts>> {
  const known = namedSteps.get(definition);
  if (known !== undefined) return known;
  const byName = new Map<string, Step<AnyFacts>>();
  for (const { step } of plannedSteps(definition)) byName.set(step.name, step);
  for (const step of definition.undo) byName.set(step.name, step);
  namedSteps.set(definition, byName);
  return byName;
}
