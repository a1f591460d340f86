import { and, eq, inArray, max, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { operations, steps } from "#db/schema.ts";
import type { Step } from "#server/operations/engine/define.ts";
import { kindsThat, registry } from "#server/operations/registry.ts";
import { intranetVars } from "./intranetVars.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./playbook.ts";

const queries = prepared((tx: Pick<Tx, "select">) => {
  const isOfInstance = eq(operations.instanceId, given("instanceId"));
  const applying = kindsThat(({ appliesConfiguration }) => appliesConfiguration === true);
  const changing = kindsThat(({ changesConfiguration }) => changesConfiguration === true);
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

const runsOf = z.object(playbookFacts).partial();

/**
 * Whether the intranet may work with another address, other names or other variables than its row says: an operation that changes
 * them has failed half way, and nothing has put that right since.
 */
export const mayDifferFromRow = (tx: Tx, instanceId: string): boolean =>
  queries(tx)
    .failedSince.all({ instanceId })
    .some(({ id, kind, facts }) =>
      // Without a rescue it goes back only when it's cancelled.
      registry[kind].rescue === undefined
        ? runsOf.parse(facts).runs?.reconfigure !== undefined
        : queries(tx).stuck.get({ operationId: id }) !== undefined,
    );

/**
 * Gives the intranet the address, the names and the variables that its row says. Part of the plan only where an earlier operation
 * may have left others in effect, so that no operation calls an intranet running that works with those.
 */
export const reapplyConfiguration = <Facts extends PlaybookFacts>(name: string): Step<Facts> => ({
  ...playbookStep<Facts>(name, "Set its address and variables with Ansible", {
    playbook: "reconfigure",
    vars: (context) => intranetVars(context),
  }),
  isPlanned: (facts) => facts.mayDifferFromRow === true,
});
