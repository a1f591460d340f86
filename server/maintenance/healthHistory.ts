import { inArray, lt, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { healthHours } from "#db/schema.ts";
import type { Engine } from "#server/operations/engine/engine.ts";

const keptMs = 90 * 86_400_000;
/** So few that whoever else wants to write waits for a few milliseconds at most. */
const atOnce = 500;
/** An idle day of 7,200 instances is 120 a minute: far more are removed, and a backlog leaves the other chores their turn. */
const batchesARound = 40;

const removal = prepared((tx: Pick<Tx, "delete" | "select">) => {
  const old = tx
    .select({ row: sql`rowid` })
    .from(healthHours)
    .where(lt(healthHours.hour, given("before")))
    .limit(atOnce);
  return tx.delete(healthHours).where(inArray(sql`rowid`, old)).prepare();
});

/** Removes how instances answered more than 90 days ago. */
export async function removeOldHealthHours({ db, now, wait }: Engine, signal: AbortSignal): Promise<void> {
  const before = now() - keptMs;
  for (let batch = 0; batch < batchesARound; batch += 1) {
    signal.throwIfAborted();
    const { changes } = removal(db).run({ before });
    if (changes < atOnce) return;
    await wait(1, signal);
  }
}
