import { eq } from "drizzle-orm";
import pLimit from "p-limit";
import type { Db } from "#db/client.ts";
import { wakeUps } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { type AddJob, advanceTask, answered } from "#server/queue.ts";
import { report } from "#server/report.ts";
import { preparedQueries } from "./preparedQueries.ts";

/**
 * A wake-up that is due within this time is kept here and handed to the queue the moment it is due: PostgreSQL tells a
 * worker of a new job at once, but of one that has become due only when it is next asked. Most are replaced before.
 */
const keptMs = 60_000;

/**
 * How many are handed over in parallel. Each has a time limit, and with a thousand at once most of it would go to
 * waiting for a connection.
 */
const atOnce = 10;

/**
 * Hands wake-ups from SQLite's outbox to the queue. PostgreSQL may be away, slow or empty, and this process may end:
 * what was not handed over stays unsent and is swept up again, here or by a successor.
 */
export function createWaker(db: Db, clock: Clock, addJob: AddJob) {
  const tail = new Map<string, Promise<void>>();
  /** Those that a send will read anew in a moment: another wish for them changes nothing. */
  const queued = new Set<string>();
  /** What was due and went to PostgreSQL, and when. */
  const handedOver = new Map<string, { dueAt: number; at: number }>();
  const timers = new Map<string, () => void>();
  const inTurn = pLimit(atOnce);

  async function send(operationId: string): Promise<void> {
    queued.delete(operationId);
    timers.get(operationId)?.();
    timers.delete(operationId);
    const dueAt = preparedQueries(db).wakeUp(operationId);
    if (dueAt === undefined) return;
    const waitMs = dueAt - clock.monotonic();
    if (waitMs > 0 && waitMs <= keptMs) {
      // Timers may fire a little early: then it is looked at once more.
      timers.set(
        operationId,
        clock.after(waitMs, () => wake(operationId)),
      );
      return;
    }
    const job = { jobKey: operationId, maxAttempts: 1 };
    if (waitMs <= 0) {
      // Without a time it is due by PostgreSQL's own clock. Not written down: in a moment its claim writes the row.
      await answered(clock, () => addJob(advanceTask, { operationId }, job));
      // Where nobody sweeps it must not grow; to forget is one wake-up too many.
      if (handedOver.size > 1000) handedOver.clear();
      handedOver.set(operationId, { dueAt, at: clock.monotonic() });
    } else {
      const runAt = new Date(clock.now() + waitMs);
      await answered(clock, () => addJob(advanceTask, { operationId }, { ...job, runAt }));
      db.update(wakeUps).set({ sentAt: clock.now() }).where(eq(wakeUps.operationId, operationId)).run();
    }
  }

  /** One after the other for the same operation, so that the last to be added is the newest wish. */
  function wake(operationId: string): void {
    if (queued.has(operationId)) return;
    queued.add(operationId);
    const before = tail.get(operationId) ?? Promise.resolve();
    const mine = before
      .then(() => inTurn(() => send(operationId)))
      .catch((error: unknown) => report("could not hand a wake-up to PostgreSQL; retrying", error))
      .finally(() => {
        if (tail.get(operationId) === mine) tail.delete(operationId);
      });
    tail.set(operationId, mine);
  }

  /** Re-adds what is unsent, or was due or handed over more than `graceMs` ago. A wake-up too many is harmless. */
  function sweep(graceMs: number): void {
    const rows = preparedQueries(db).unsentWakeUps(clock.monotonic() - graceMs);
    for (const row of rows) {
      const handed = handedOver.get(row.operationId);
      if (handed?.dueAt !== row.dueAt || handed.at < clock.monotonic() - graceMs) wake(row.operationId);
    }
    // What has no row any more is over.
    const open = new Set(rows.map((row) => row.operationId));
    for (const operationId of handedOver.keys()) if (!open.has(operationId)) handedOver.delete(operationId);
  }

  return { wake, sweep };
}
