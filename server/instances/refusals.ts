import type { instances } from "#db/schema.ts";
import type { Refusals } from "#server/api/views.ts";
import type { AnyDefinition } from "#server/operations/engine/define.ts";
import { registry } from "#server/operations/registry.ts";
import { mayBeHalf } from "#server/operations/steps/reapplyConfiguration.ts";
import type { InstanceState } from "./rules.ts";

/** What the rules need to know about an instance: `dataMayBeHalf` is for those that start its app. */
type State = InstanceState & { dataMayBeHalf: boolean };

export const stateOf = (
  row: typeof instances.$inferSelect,
  { hasBackup, dataMayBeHalf }: { hasBackup: boolean; dataMayBeHalf: boolean },
): State => ({
  status: row.status,
  isProtected: row.isProtected,
  hasRun: row.answeredAt !== null && row.hostKey !== null,
  isKept: row.snapshotId !== null || hasBackup,
  isDropletGone: row.dropletGoneAt !== null,
  purgedAt: row.purgedAt,
  dataMayBeHalf: row.destroyedAt === null && dataMayBeHalf,
});

/** Why the operation may not start now, in a sentence: the same for its button and its command. */
export function refusalOf(
  { allowed, appliesConfiguration }: Pick<AnyDefinition, "allowed" | "appliesConfiguration">,
  state: State,
): string | null {
  const refusal = allowed?.(state) ?? null;
  if (refusal !== null) return refusal;
  // It would start the intranet, and call it running, with whatever data is there.
  return appliesConfiguration === true && state.dataMayBeHalf ? mayBeHalf : null;
}

/** The refusals of all operations, by kind. */
export function refusalsOf(state: State): Refusals {
  const refusals: Refusals = {};
  for (const definition of Object.values(registry)) {
    const refusal = refusalOf(definition, state);
    if (refusal !== null) refusals[definition.kind] = refusal;
  }
  return refusals;
}
