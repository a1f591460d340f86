import { and, eq, gte, ne, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { steps } from "#db/schema.ts";

/**
 * Takes an operation back to an earlier step, which is the next to run; for an outcome's rows. Whoever else works on
 * one of the steps that are done again has lost its claim.
 */
export function startOver(
  tx: Tx,
  {
    operationId,
    from,
    current,
    dueAt,
  }: { operationId: string; from: string; current: string; dueAt: number },
): void {
  const ofThis = and(eq(steps.operationId, operationId), eq(steps.undo, false));
  const first = tx
    .select({ position: steps.position })
    .from(steps)
    .where(and(ofThis, eq(steps.name, from)))
    .get();
  if (first === undefined) return;
  const again = and(ofThis, gte(steps.position, first.position));
  tx.update(steps)
    .set({
      state: "waiting",
      attempts: 0,
      dueAt,
      queuedAt: null,
      startedAt: null,
      startedMonotonic: null,
      endedAt: null,
      progress: null,
      failure: null,
    })
    .where(again)
    .run();
  // The step that says so writes its own outcome in this transaction, and keeps its fence until then.
  tx.update(steps)
    .set({ claimedBy: null, fence: sql`${steps.fence} + 1` })
    .where(and(again, ne(steps.name, current)))
    .run();
}
