import { and, eq, isNotNull, min } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { steps } from "#db/schema.ts";

/**
 * From the operation's first step until then, on the monotonic clock. Of one that has started over, from its last first
 * step; 0 if none has begun.
 */
export function tookMs(tx: Pick<Tx, "select">, operationId: string, until: number): number {
  const first = tx
    .select({ at: min(steps.startedMonotonic) })
    .from(steps)
    .where(and(eq(steps.operationId, operationId), isNotNull(steps.startedMonotonic)))
    .get();
  return until - (first?.at ?? until);
}

/** The value below which the given share (0…1) of the numbers lies, by nearest rank; 0 for none. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return sorted[index] ?? 0;
}
