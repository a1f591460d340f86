import { and, asc, eq, inArray, max, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { type OperationKind, operations, steps } from "#db/schema.ts";
import { stepsOfRescueAndUndo } from "./engine/define.ts";
import { kindsThat, registry } from "./registry.ts";
import type { MachineFacts } from "./steps/machineFacts.ts";
import { playbookFacts } from "./steps/playbook.ts";

type Reader = Pick<Tx, "select">;

const queries = prepared((tx: Reader) => {
  const isOfInstance = eq(operations.instanceId, given("instanceId"));
  const applying = kindsThat(({ appliesConfiguration }) => appliesConfiguration === true);
  const changing = kindsThat(
    ({ changesConfiguration, changesSoftware }) => changesConfiguration === true || changesSoftware === true,
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
          inArray(
            operations.kind,
            kindsThat(({ changesSoftware }) => changesSoftware === true),
          ),
        ),
      )
      .prepare(),
    rollback: tx
      .select({ name: steps.name, state: steps.state, startedAt: steps.startedAt })
      .from(steps)
      .where(and(eq(steps.operationId, given("operationId")), eq(steps.undo, true)))
      .orderBy(asc(steps.position))
      .prepare(),
  };
});

type RollbackStep = Pick<typeof steps.$inferSelect, "name" | "state" | "startedAt">;

/** The steps of an operation's rescue, and then of its undo, as far as they have been planned. */
const rollbackOf = (tx: Reader, operationId: string): RollbackStep[] =>
  queries(tx).rollback.all({ operationId });

/**
 * Whether a rollback began to replace the data and didn't finish. Its rescue may have failed there, and its undo before
 * it got that far.
 */
function leftDataHalf(kind: OperationKind, rollback: readonly RollbackStep[]): boolean {
  const replacing = new Set(
    stepsOfRescueAndUndo(registry[kind]).flatMap((step) => (step.replacesData === true ? [step.name] : [])),
  );
  const last = rollback.findLast(({ name, startedAt }) => startedAt !== null && replacing.has(name));
  return last !== undefined && last.state !== "done" && last.state !== "skipped";
}

/** Whether a failed operation's rollback got stuck after it began to replace the data, which may now be incomplete. */
export const isStuckReplacingData = (
  tx: Reader,
  { id, kind }: { id: string; kind: OperationKind },
): boolean => leftDataHalf(kind, rollbackOf(tx, id));

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
      rollback: rollbackOf(tx, id),
    }))
    // Without a rescue, a failed operation leaves its change in effect until it's cancelled.
    .filter(({ definition, runs, rollback }) =>
      definition.rescue === undefined
        ? runs?.reconfigure !== undefined
        : rollback.some(({ state }) => state === "failed"),
    );
  const software = left.filter(({ definition }) => definition.changesSoftware === true);
  return {
    ...(left.length > 0 ? { mayDifferFromRow: true } : {}),
    ...(software.length > 0 ? { softwareMayDiffer: true } : {}),
    ...(software.some(({ kind, rollback }) => leftDataHalf(kind, rollback)) ? { dataMayBeHalf: true } : {}),
  };
}
