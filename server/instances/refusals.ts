import type { instances } from "#db/schema.ts";
import type { Refusals } from "#server/api/views.ts";
import { registry } from "#server/operations/registry.ts";
import type { InstanceState } from "./rules.ts";

/** The part of an instance's row that its rules need. */
export const stateOf = (row: typeof instances.$inferSelect, hasBackup: boolean): InstanceState => ({
  status: row.status,
  isProtected: row.isProtected,
  hasRun: row.answeredAt !== null && row.hostKey !== null,
  isKept: row.snapshotId !== null || hasBackup,
  isDropletGone: row.dropletGoneAt !== null,
  purgedAt: row.purgedAt,
});

/** The rule of every operation, for buttons and commands alike. */
export function refusalsOf(state: InstanceState): Refusals {
  const refusals: Refusals = {};
  for (const { kind, allowed } of Object.values(registry)) {
    const refusal = allowed?.(state) ?? null;
    if (refusal !== null) refusals[kind] = refusal;
  }
  return refusals;
}
