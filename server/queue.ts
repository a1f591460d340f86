import { eq, isNull, lt, or } from "drizzle-orm";
import type { WorkerUtils } from "graphile-worker";
import type { Db } from "../db/client.ts";
import { wakeUps } from "../db/schema.ts";
import { report } from "./report.ts";

export const advanceTask = "advance";
type AddJob = WorkerUtils["addJob"];

/**
 * Hands wake-ups from SQLite's outbox to the queue. PostgreSQL may be away, slow or empty: what was not handed over
 * stays unsent and is swept up again.
 */
export function createWaker(db: Db, addJob: AddJob) {
  const tail = new Map<string, Promise<void>>();

  async function send(operationId: string): Promise<void> {
    const row = db.select().from(wakeUps).where(eq(wakeUps.operationId, operationId)).get();
    if (row === undefined) return;
    await addJob(
      advanceTask,
      { operationId },
      { jobKey: operationId, runAt: new Date(row.dueAt), maxAttempts: 1 },
    );
    db.update(wakeUps).set({ sentAt: Date.now() }).where(eq(wakeUps.operationId, operationId)).run();
  }

  /** One after the other for the same operation, so that the last to be added is the newest wish. */
  function wake(operationId: string): void {
    const before = tail.get(operationId) ?? Promise.resolve();
    const mine = before
      .then(() => send(operationId))
      .catch((error: unknown) =>
        report("a wake-up could not be handed to PostgreSQL; it is tried again", error),
      )
      .finally(() => {
        if (tail.get(operationId) === mine) tail.delete(operationId);
      });
    tail.set(operationId, mine);
  }

  /** Re-adds what is unsent, or overdue by more than `graceMs`. A wake-up too many is harmless. */
  function sweep(graceMs: number): void {
    const overdue = or(isNull(wakeUps.sentAt), lt(wakeUps.dueAt, Date.now() - graceMs));
    for (const row of db.select().from(wakeUps).where(overdue).all()) wake(row.operationId);
  }

  return { wake, sweep };
}
