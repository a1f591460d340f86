import type { Clock } from "#server/clock.ts";
import { report } from "#server/report.ts";
import { withTimeLimit } from "#server/timeLimit.ts";

/** How long a chore may spend on one item. */
const itemMs = 30_000;

/**
 * A chore's work on many items, one after the other. An item that fails or hangs is reported as `fault` says and doesn't
 * hold up the rest; between two items the process can do other work. Rejects when the chore's own signal aborts.
 */
export async function eachWithin<Item>(
  clock: Pick<Clock, "after" | "wait">,
  items: readonly Item[],
  fault: (item: Item) => string,
  work: (item: Item, signal: AbortSignal) => Promise<void> | void,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, item] of items.entries()) {
    if (index > 0) await clock.wait(1, signal);
    signal.throwIfAborted();
    try {
      await withTimeLimit(clock, itemMs, (bound) => work(item, bound), signal);
    } catch (error) {
      report(fault(item), error);
    }
  }
}
