import type { Clock } from "./clock.ts";
import { report } from "./report.ts";

/**
 * Does something again and again, each time `everyMs` after it last ended: never twice at once. What goes wrong is
 * reported as `fault`, and the next time comes all the same.
 */
export function repeat(
  clock: Pick<Clock, "after">,
  everyMs: number,
  fault: string,
  work: () => Promise<void> | void,
): { stop: () => void } {
  let stopped = false;
  let cancel = clock.after(everyMs, next);

  async function once(): Promise<void> {
    try {
      await work();
    } catch (error) {
      report(fault, error);
    }
    if (!stopped) cancel = clock.after(everyMs, next);
  }
  function next(): void {
    void once();
  }

  return {
    stop() {
      stopped = true;
      cancel();
    },
  };
}
