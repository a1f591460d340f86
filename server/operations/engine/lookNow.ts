import { and, eq, gt, isNull } from "drizzle-orm";
import { write } from "#db/client.ts";
import { steps } from "#db/schema.ts";
import { report } from "#server/report.ts";
import type { Claim } from "./claim.ts";
import type { Engine } from "./engine.ts";
import { heldStep } from "./lease.ts";
import { setWakeUp, wholeOf } from "./outcome.ts";

/**
 * Makes a step that waits for its next look due now. Nothing happens when somebody has taken it since, or it is over.
 * Never throws: its own interval looks at it all the same.
 */
export function lookNow(engine: Engine, { operation, step }: Claim): void {
  try {
    const hastened = write(engine.db, (tx) => {
      const now = engine.monotonic();
      const mine = and(heldStep(step), eq(steps.state, "running"));
      const waits = and(mine, isNull(steps.claimedBy), gt(steps.dueAt, now));
      const { changes } = tx.update(steps).set({ dueAt: now }).where(waits).run();
      if (changes > 0) setWakeUp(engine, tx, wholeOf(tx, operation.id));
      return changes > 0;
    });
    if (hastened) engine.wake(operation.id);
  } catch (error) {
    report("a step could not be hastened", error);
  }
}
