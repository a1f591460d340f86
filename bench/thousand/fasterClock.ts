import { z } from "zod";
import type { Clock } from "#server/clock.ts";

/** How much faster time passes, and from which moments of the system clocks on. */
export const paceShape = z.object({ factor: z.number(), now: z.number(), monotonic: z.number() });
export type Pace = z.infer<typeof paceShape>;

/** A clock that runs faster by `factor`. Processes with the same pace agree on the time. */
export function fasterClock(clock: Clock, { factor, ...since }: Pace): Clock {
  return {
    now: () => Math.floor(since.now + (clock.now() - since.now) * factor),
    monotonic: () => Math.floor(since.monotonic + (clock.monotonic() - since.monotonic) * factor),
    after: (ms, callback) => clock.after(ms / factor, callback),
    wait: (ms, signal) => clock.wait(ms / factor, signal),
    deadline: (ms) => clock.deadline(Math.ceil(ms / factor)),
  };
}
