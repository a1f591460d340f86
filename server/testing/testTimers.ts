import type { Clock } from "#server/clock.ts";

/** For tests: timers that fire when the test lets time pass, and not before. */
export function testTimers(clock: { now: number }) {
  const waiting = new Set<{ at: number; callback: () => void }>();
  const after: Clock["after"] = (ms, callback) => {
    const timer = { at: clock.now + ms, callback };
    waiting.add(timer);
    return () => waiting.delete(timer);
  };
  const wait: Clock["wait"] = (ms, signal) =>
    new Promise((resolve, reject) => {
      const cancel = after(ms, resolve);
      const giveUp = () => {
        cancel();
        reject(signal?.reason);
      };
      if (signal?.aborted === true) giveUp();
      else signal?.addEventListener("abort", giveUp, { once: true });
    });

  /** Moves the clock forward; whatever was asked for by then is called in its order. */
  async function pass(ms: number): Promise<void> {
    const end = clock.now + ms;
    await settled();
    for (;;) {
      const [next] = [...waiting].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (next === undefined) break;
      waiting.delete(next);
      clock.now = next.at;
      next.callback();
      await settled();
    }
    clock.now = end;
  }

  return { after, wait, pass };
}

/** Resolves once everything that waits for nothing outside has had its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
