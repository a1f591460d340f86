import { and, eq, gt, isNull } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { given, prepared, setTo } from "#db/prepared.ts";
import { steps } from "#db/schema.ts";
import { report } from "#server/report.ts";
import type { Claim } from "./claim.ts";
import type { Engine } from "./engine.ts";
import { setWakeUp, wholeOf } from "./outcome.ts";

/** Makes a step due that its holder has handed back until later. */
const dueNow = prepared((tx: Pick<Tx, "update">) =>
  tx
    .update(steps)
    .set({ dueAt: setTo("now") })
    .where(
      and(
        eq(steps.operationId, given("operationId")),
        eq(steps.name, given("name")),
        eq(steps.fence, given("fence")),
        eq(steps.state, "running"),
        isNull(steps.claimedBy),
        gt(steps.dueAt, given("now")),
      ),
    )
    .prepare(),
);

/**
 * Makes a step that waits for its next look due now. Nothing happens when somebody has taken it since, or it is over.
 * Never throws: its own interval looks at it all the same.
 */
export function lookNow(engine: Engine, { operation, step }: Claim): void {
  try {
    const isDueNow = write(engine.db, (tx) => {
      const { operationId, name, fence } = step;
      const { changes } = dueNow(tx).run({ operationId, name, fence, now: engine.monotonic() });
      if (changes > 0) setWakeUp(engine, tx, wholeOf(tx, operation.id));
      return changes > 0;
    });
    if (isDueNow) engine.wake(operation.id);
  } catch (error) {
    report("could not wake a step early", error);
  }
}
