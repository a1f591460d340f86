import { and, asc, eq, inArray, max, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { type OperationKind, operations, steps } from "#db/schema.ts";
import type { AnyDefinition } from "./engine/define.ts";
import { stepsByName } from "./engine/plan.ts";
import { kindsThat, registry } from "./registry.ts";
import type { MachineFacts } from "./steps/machineFacts.ts";
import { playbookFacts } from "./steps/playbook.ts";

type Reader = Pick<Tx, "select">;

const stepsThatReplaceData = (definition: AnyDefinition): ReadonlySet<string> =>
  new Set(
    [...stepsByName(definition).values()].flatMap((step) => (step.replacesData === true ? [step.name] : [])),
  );

/** Whether it replaces the data of an intranet that is there, and puts it back if it fails. */
const replacesDataInPlace = (definition: AnyDefinition): boolean =>
  definition.mutating && definition.rescue !== undefined && stepsThatReplaceData(definition).size > 0;

const queries = prepared((tx: Reader) => {
  const isOfInstance = eq(operations.instanceId, given("instanceId"));
  const applying = kindsThat(({ appliesConfiguration }) => appliesConfiguration === true);
  const changing = kindsThat(
    (definition) =>
      definition.changesConfiguration === true ||
      definition.changesSoftware === true ||
      replacesDataInPlace(definition),
  );
  const lastReapplied = tx
    .select({ sequence: max(operations.sequence) })
    .from(operations)
    .where(and(isOfInstance, eq(operations.state, "done"), inArray(operations.kind, applying)));
  return {
    failedSince: tx
      .select({ id: operations.id, kind: operations.kind, facts: operations.facts })
      .from(operations)
      .where(
        and(
          isOfInstance,
          eq(operations.state, "failed"),
          inArray(operations.kind, changing),
          sql`${operations.sequence} > coalesce((${lastReapplied}), 0)`,
        ),
      )
      .prepare(),
    /** Of many instances, in the words of the index of failed operations: the pages' lists ask it. */
    replacingData: tx
      .select({ id: operations.id, kind: operations.kind, instanceId: operations.instanceId })
      .from(operations)
      .where(
        and(
          inArray(operations.instanceId, sql`(select value from json_each(${given("instanceIds")}))`),
          sql`state = 'failed'`,
          inArray(operations.kind, kindsThat(replacesDataInPlace)),
        ),
      )
      .prepare(),
    steps: tx
      .select({ name: steps.name, state: steps.state, startedAt: steps.startedAt, undo: steps.undo })
      .from(steps)
      .where(eq(steps.operationId, given("operationId")))
      .orderBy(asc(steps.position))
      .prepare(),
  };
});

type StepRow = Pick<typeof steps.$inferSelect, "name" | "state" | "startedAt" | "undo">;

/** The steps of an operation in their order: those of its plan, of its rescue and of its undo. */
const stepsOf = (tx: Reader, operationId: string): StepRow[] => queries(tx).steps.all({ operationId });

/** Whether its rescue or its undo has failed. */
const isStuck = (rows: readonly StepRow[]): boolean =>
  rows.some(({ undo, state }) => undo && state === "failed");

/**
 * Whether the last step that began to replace the data didn't finish. A rescue may have failed there, and the undo
 * after it before it got that far.
 */
function leftDataHalf(kind: OperationKind, rows: readonly StepRow[]): boolean {
  const replacing = stepsThatReplaceData(registry[kind]);
  const last = rows.findLast(
    ({ name, state, startedAt }) => startedAt !== null && state !== "skipped" && replacing.has(name),
  );
  return last !== undefined && last.state !== "done";
}

/** Whether a failed operation's rollback got stuck while the data was being replaced, which may now be incomplete. */
export const isStuckReplacingData = (
  tx: Reader,
  { id, kind }: { id: string; kind: OperationKind },
): boolean => {
  const rows = stepsOf(tx, id);
  return isStuck(rows) && leftDataHalf(kind, rows);
};

/** Which of these instances may have incomplete data, and have had no configuration applied since. */
export function withHalfData(tx: Reader, instanceIds: readonly string[]): ReadonlySet<string> {
  const stuck = queries(tx)
    .replacingData.all({ instanceIds: JSON.stringify(instanceIds) })
    .filter((operation) => isStuckReplacingData(tx, operation))
    .filter(({ instanceId }) => whatMayDiffer(tx, instanceId).dataMayBeHalf === true);
  return new Set(stuck.map(({ instanceId }) => instanceId));
}

const runsOf = z.object({ runs: playbookFacts.runs }).partial();

/**
 * What may differ between the intranet and its row, as facts for a new operation: an earlier operation failed half way
 * through a change, and none has applied the row since.
 */
export function whatMayDiffer(tx: Reader, instanceId: string): Partial<MachineFacts> {
  const left = queries(tx)
    .failedSince.all({ instanceId })
    .map(({ id, kind, facts }) => ({
      kind,
      definition: registry[kind],
      runs: runsOf.parse(facts).runs,
      rows: stepsOf(tx, id),
    }))
    // Without a rescue, a failed operation leaves its change in effect until it's cancelled.
    .filter(({ definition, runs, rows }) =>
      definition.rescue === undefined ? runs?.reconfigure !== undefined : isStuck(rows),
    );
  const leaves = (flag: "changesConfiguration" | "changesSoftware") =>
    left.some(({ definition }) => definition[flag] === true);
  return {
    ...(leaves("changesConfiguration") ? { mayDifferFromRow: true } : {}),
    ...(leaves("changesSoftware") ? { softwareMayDiffer: true } : {}),
    ...(left.some(({ kind, rows }) => leftDataHalf(kind, rows)) ? { dataMayBeHalf: true } : {}),
  };
}
