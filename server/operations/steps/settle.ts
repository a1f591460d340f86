import { and, desc, eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { type OperationKind, operations, steps } from "#db/schema.ts";
import type { Step } from "#server/operations/engine/define.ts";
import { intranetVars } from "./intranetVars.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./playbook.ts";

const queries = prepared((tx: Pick<Tx, "select">) => ({
  /** What was done with the instance, the newest first. */
  earlier: tx
    .select({ id: operations.id, kind: operations.kind, state: operations.state, facts: operations.facts })
    .from(operations)
    .where(and(eq(operations.instanceId, given("instanceId")), eq(operations.mutating, true)))
    .orderBy(desc(operations.sequence))
    .prepare(),
  stuck: tx
    .select({ name: steps.name })
    .from(steps)
    .where(and(eq(steps.operationId, given("operationId")), eq(steps.undo, true), eq(steps.state, "failed")))
    .prepare(),
}));

/** Once one of these is done, the intranet works with what its row says: it was told so, or was known to. */
const settling: ReadonlySet<OperationKind> = new Set([
  "spawn",
  "restore-as-new",
  "bring-back",
  "edit-variables",
  "change-address",
  "upgrade",
  "restore",
  "resize",
  "restart",
  "power-on",
]);

const runsOf = z.object(playbookFacts).partial();

/**
 * Whether the intranet may work with another address or other variables than its row says: an operation that changes
 * them has failed half way, and nothing has put that right since.
 */
export function isUnsettled(tx: Tx, instanceId: string): boolean {
  for (const { id, kind, state, facts } of queries(tx).earlier.all({ instanceId })) {
    if (state === "done" && settling.has(kind)) return false;
    if (state !== "failed") continue;
    // A move goes back only when it's cancelled, an edit by itself.
    if (kind === "change-address" && runsOf.parse(facts).runs?.reconfigure !== undefined) return true;
    if (kind === "edit-variables" && queries(tx).stuck.get({ operationId: id }) !== undefined) return true;
  }
  return false;
}

/**
 * Gives the intranet the address and the variables that its row says. Part of the plan only where an earlier operation
 * may have left others in effect, so that no operation calls an intranet running that works with those.
 */
export const settle = <Facts extends PlaybookFacts>(name: string): Step<Facts> => ({
  ...playbookStep<Facts>(name, "Set its address and variables with Ansible", {
    playbook: "reconfigure",
    vars: (context) => intranetVars(context),
  }),
  isPlanned: (facts) => facts.isUnsettled === true,
});
