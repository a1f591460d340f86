import { and, eq, inArray, max, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { operations, steps } from "#db/schema.ts";
import { type Step, type StepContext, StepFailure } from "#server/operations/engine/define.ts";
import { kindsThat, registry } from "#server/operations/registry.ts";
import { intranetVars } from "./intranetVars.ts";
import type { MachineFacts } from "./machineFacts.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./playbook.ts";

const queries = prepared((tx: Pick<Tx, "select">) => {
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
    stuck: tx
      .select({ name: steps.name })
      .from(steps)
      .where(
        and(eq(steps.operationId, given("operationId")), eq(steps.undo, true), eq(steps.state, "failed")),
      )
      .prepare(),
  };
});

/** The steps of an operation's rescue or undo that have failed. */
export const stuckAt = (tx: Pick<Tx, "select">, operationId: string): string[] =>
  queries(tx)
    .stuck.all({ operationId })
    .map(({ name }) => name);

const runsOf = z.object({ runs: playbookFacts.runs }).partial();

/**
 * What may differ between the intranet and its row, as facts for a new operation: an earlier operation failed half way
 * through a change, and none has applied the row since.
 */
export function whatMayDiffer(tx: Tx, instanceId: string): Partial<MachineFacts> {
  const left = queries(tx)
    .failedSince.all({ instanceId })
    .map(({ id, kind, facts }) => ({
      definition: registry[kind],
      runs: runsOf.parse(facts).runs,
      stuckAt: stuckAt(tx, id),
    }))
    // Without a rescue, a failed operation leaves its change in effect until it's cancelled.
    .filter(({ definition, runs, stuckAt }) =>
      definition.rescue === undefined ? runs?.reconfigure !== undefined : stuckAt.length > 0,
    );
  const software = left.filter(({ definition }) => definition.changesSoftware === true);
  return {
    ...(left.length > software.length ? { mayDifferFromRow: true } : {}),
    ...(software.length > 0 ? { softwareMayDiffer: true } : {}),
    ...(software.some(({ stuckAt }) => stuckAt.some((name) => name.endsWith("-data")))
      ? { dataMayBeHalf: true }
      : {}),
  };
}

export const mayBeHalf =
  "An upgrade failed while the previous data was being put back, so the data may be incomplete. Cancel that upgrade to finish putting it back, or restore a backup as a new instance.";

/**
 * The variables for reinstalling over existing data. Throws if that data may be incomplete: the installer would start with
 * an empty database where it finds none, and the result would look healthy.
 */
export function reinstallVars<Facts extends PlaybookFacts>(context: StepContext<Facts>) {
  if (context.facts.dataMayBeHalf === true)
    throw new StepFailure(mayBeHalf, "the rollback step that restores the data failed");
  return intranetVars(context);
}

/**
 * Gives the intranet its row's version, address, names and variables. Planned only if an earlier operation may have left
 * others in effect: no operation may report an intranet as running with those.
 */
export const reapplyConfiguration = <Facts extends PlaybookFacts>(name: string): Step<Facts>[] => [
  {
    ...playbookStep<Facts>(`${name}-software`, "Install its version with Ansible", {
      playbook: "provision",
      vars: reinstallVars,
    }),
    isPlanned: (facts) => facts.softwareMayDiffer === true,
  },
  {
    ...playbookStep<Facts>(name, "Set its address and variables with Ansible", {
      playbook: "reconfigure",
      vars: (context) => intranetVars(context),
    }),
    // Installing sets them too.
    isPlanned: (facts) => facts.mayDifferFromRow === true && facts.softwareMayDiffer !== true,
  },
];
