import { and, asc, eq, lt, not, sql } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { events, operations, packedLogs } from "#db/schema.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { canBeResumed } from "#server/operations/engine/resumable.ts";
import { packLines } from "#server/operations/packedLogs.ts";
import { logLineOf } from "#server/operations/queries.ts";

/** So few that whoever else wants to write waits for a few milliseconds at most. Most logs are shorter. */
const linesAtOnce = 250;
/** A backlog of 10,000 operations takes an hour and a half, and leaves the other chores their turn. */
const partsARound = 120;

const queries = prepared((tx: Pick<Tx, "select" | "update">) => ({
  oldest: tx
    .select({ id: operations.id })
    .from(operations)
    .where(
      and(
        // Must match the condition of the index operations_to_pack.
        sql`log_packed_at is null`,
        lt(operations.endedAt, given("before")),
        not(canBeResumed() ?? sql`false`),
      ),
    )
    .orderBy(asc(operations.endedAt))
    .limit(1)
    .prepare(),
  lines: tx
    .select()
    .from(events)
    .where(and(eq(events.operationId, given("operationId")), eq(events.kind, "log")))
    .orderBy(asc(events.id))
    .limit(linesAtOnce)
    .prepare(),
}));

type Packing = Pick<Engine, "db" | "now" | "wait" | "keepLogsMs">;

/**
 * Packs the logs of operations that ended long ago and can't be retried or cancelled any more, so no line can be added.
 * Each part of a log moves in one transaction: the log reads the same at any moment, and after a crash the next round
 * moves the rest.
 */
export async function packOldLogs(engine: Packing, signal: AbortSignal): Promise<void> {
  const { db, now, wait } = engine;
  const before = now() - engine.keepLogsMs;
  for (let part = 0; part < partsARound; part += 1) {
    signal.throwIfAborted();
    const operation = queries(db).oldest.get({ before });
    if (operation === undefined) return;
    packPart(engine, operation.id);
    await wait(1, signal);
  }
}

function packPart({ db, now }: Packing, operationId: string): void {
  const lines = queries(db).lines.all({ operationId }).map(logLineOf);
  // Outside the transaction: it keeps others from writing.
  const packed = packLines(lines);
  write(db, (tx) => {
    if (lines.length > 0) {
      tx.insert(packedLogs)
        .values({ operationId, ...packed })
        .run();
      const { changes } = tx
        .delete(events)
        .where(
          and(
            eq(events.operationId, operationId),
            eq(events.kind, "log"),
            sql`${events.id} between ${packed.firstId} and ${packed.lastId}`,
          ),
        )
        .run();
      if (changes !== lines.length)
        throw new Error(`${changes} lines of ${operationId} instead of ${lines.length} would be packed.`);
    }
    if (lines.length < linesAtOnce)
      tx.update(operations).set({ logPackedAt: now() }).where(eq(operations.id, operationId)).run();
  });
}
