import { and, asc, desc, eq, inArray } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { drift, instances, operations } from "#db/schema.ts";
import type { DriftCheckView, DriftView } from "#server/api/views.ts";
import { kindsThat, registry } from "#server/operations/registry.ts";
import { newestRestorePoint } from "#server/operations/restorePoints.ts";
import { newestOperation } from "#server/operations/startOperation.ts";
import { visibilityWindowMs } from "#server/operations/steps/dropletPresence.ts";
import { actionsOf, type DriftAction, finding, keyOf } from "./findings.ts";
import { reconciliationState } from "./state.ts";

/** How the newest round went. */
export function driftCheck(tx: Pick<Tx, "select">): DriftCheckView {
  const { checkedAt = null, failure = null } = reconciliationState(tx);
  return { checkedAt, failure };
}

/**
 * Findings that have stood longer than DigitalOcean's lists lag, in the order in which they were found: one that only
 * one round has seen may be gone with the next.
 */
export function driftViews(tx: Pick<Tx, "select">): DriftView[] {
  const { checkedMonotonic = 0 } = reconciliationState(tx);
  const rows = tx
    .select({ drift, instance: instances })
    .from(drift)
    .innerJoin(instances, eq(instances.id, drift.instanceId))
    .orderBy(asc(drift.foundAt), asc(drift.key))
    .all()
    .filter(({ drift: row }) => checkedMonotonic - row.foundMonotonic >= visibilityWindowMs);
  return rows.map(({ drift: row, instance }) => {
    const { id, slug, company, status } = instance;
    const one = finding.parse(row.finding);
    const actions = actionsOf(one);
    const { key, monthlyCents, foundAt } = row;
    return {
      ...{ key, finding: one, monthlyCents, foundAt },
      instance: {
        id,
        slug,
        company,
        status,
        canBeBroughtBack: newestRestorePoint(tx, instance) !== undefined,
      },
      actions,
      // A finding has either one Repair or actions that are refused alike.
      refusal: refusalOf(tx, instance, actions[0]),
      operation: operationOn(tx, id, key),
    };
  });
}

/** Why this can't be done for an instance now: its own live operation wins. */
export function refusalOf(
  tx: Pick<Tx, "select">,
  { id: instanceId, company }: Pick<typeof instances.$inferSelect, "id" | "company">,
  action: DriftAction | undefined,
): string | null {
  const live = tx
    .select({ kind: operations.kind })
    .from(operations)
    .where(and(eq(operations.instanceId, instanceId), inArray(operations.state, ["running", "cancelling"])))
    .get();
  if (live !== undefined) return `Available once “${registry[live.kind].label}” has finished.`;
  // A repair would take the place of the newest operation, and with it its Retry.
  const newest = newestOperation(tx, instanceId);
  const isOwn = newest !== undefined && registry[newest.kind].driftAction !== undefined;
  return action === "repair" && newest?.state === "failed" && !isOwn
    ? `The last operation of ${company} failed. Retry or cancel it first, or destroy the instance.`
    : null;
}

const begunHere = () => kindsThat(({ driftAction }) => driftAction !== undefined);
const factsWithFinding = z.object({ finding });

/** The newest operation that is to put the finding right, unless it is over and the finding still stands. */
function operationOn(tx: Pick<Tx, "select">, instanceId: string, key: string): DriftView["operation"] {
  const newest = tx
    .select()
    .from(operations)
    .where(and(eq(operations.instanceId, instanceId), inArray(operations.kind, begunHere())))
    .orderBy(desc(operations.sequence))
    .all()
    .find(({ facts }) => {
      const known = factsWithFinding.safeParse(facts);
      return known.success && keyOf(known.data.finding) === key;
    });
  if (newest === undefined || newest.state === "done" || newest.state === "cancelled") return null;
  const { id, kind, state, failure } = newest;
  const action = registry[kind].driftAction;
  return action === undefined ? null : { id, action, state, userMessage: failure?.userMessage ?? null };
}
