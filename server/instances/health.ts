import { eq, inArray } from "drizzle-orm";
import { write } from "../../db/client.ts";
import { instances } from "../../db/schema.ts";
import type { Engine } from "../operations/engine.ts";
import { appendEvent } from "../operations/events.ts";
import { report } from "../report.ts";

const everyMs = 30_000;
/** One missed answer is a hiccup; an instance is called unreachable after this many looks in a row. */
const missesAllowed = 2;

/** Looks at every running instance's own URL now and then, and says when one falls silent or answers again. */
export function watchHealth(engine: Engine): { stop: () => void } {
  const misses = new Map<string, number>();
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    lookAtAll(engine, misses)
      .catch((error: unknown) => report("the instances could not be looked at", error))
      .finally(() => {
        busy = false;
      });
  }, everyMs);
  return { stop: () => clearInterval(timer) };
}

/** One look at all instances that should answer. */
export async function lookAtAll(engine: Engine, misses: Map<string, number>): Promise<void> {
  const rows = engine.db
    .select()
    .from(instances)
    .where(inArray(instances.status, ["running", "unreachable"]))
    .all();
  await Promise.all(
    rows.map(async (row) => {
      const answer = await engine.providers.probe.answer(engine.urlOf(row));
      const missed = answer.ok ? 0 : (misses.get(row.id) ?? 0) + 1;
      misses.set(row.id, missed);
      write(engine.db, (tx) => {
        const current = tx.select().from(instances).where(eq(instances.id, row.id)).get();
        // Whatever began meanwhile knows better.
        if (current === undefined || (current.status !== "running" && current.status !== "unreachable"))
          return;
        const now = engine.now();
        const status = answer.ok ? "running" : missed > missesAllowed ? "unreachable" : current.status;
        tx.update(instances)
          .set(
            answer.ok
              ? { status, answeredAt: now, answeredInMs: answer.ms, silentSince: null }
              : { status, silentSince: current.silentSince ?? now },
          )
          .where(eq(instances.id, row.id))
          .run();
        if (status !== current.status || answer.ok)
          appendEvent(tx, { at: now, kind: "instance", instanceId: row.id, data: { status } });
      });
    }),
  );
}
