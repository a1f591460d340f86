import { and, eq, gt, isNotNull, lt, notExists } from "drizzle-orm";
import { steps, wakeUps, workers } from "#db/schema.ts";
import type { Engine } from "./operations/engine/engine.ts";

/** How long wake-ups may be overdue while nothing is taken from the queue, ms. */
const patienceMs = 60_000;

/**
 * Notices a queue that has gone silent, whatever the reason (connections lost without a word, a worker that is stuck):
 * wake-ups are overdue, this worker has room for them, and none has come for a minute. `slots` is how many it can take
 * at once. A step that is claimed is under way, not overdue.
 */
export function createWatchdog(
  engine: Pick<Engine, "db" | "monotonic" | "worker">,
  { slots }: { slots: number },
): { taken: () => void; isStalled: () => boolean } {
  let goodAt = engine.monotonic();

  function isOverdue(): boolean {
    const now = engine.monotonic();
    const claimed = engine.db
      .select({ name: steps.name })
      .from(steps)
      .innerJoin(workers, eq(workers.id, steps.claimedBy))
      .where(
        and(
          eq(steps.operationId, wakeUps.operationId),
          isNotNull(steps.claimedBy),
          gt(workers.leaseUntil, now),
        ),
      );
    const overdue = engine.db
      .select({ operationId: wakeUps.operationId })
      .from(wakeUps)
      .where(and(lt(wakeUps.dueAt, now - patienceMs), notExists(claimed)))
      .limit(1)
      .get();
    return overdue !== undefined;
  }

  return {
    /** A wake-up has come. */
    taken() {
      goodAt = engine.monotonic();
    },
    /** To be asked every few seconds. */
    isStalled() {
      const now = engine.monotonic();
      if (engine.worker.running.size >= slots || !isOverdue()) goodAt = now;
      return now - goodAt >= patienceMs;
    },
  };
}
