import type { Clock } from "./clock.ts";

/**
 * Gives work `ms` to end. Then its signal aborts with a TimeoutError, and the result rejects with it, even when the
 * work does not listen. `parent` aborts it earlier.
 */
export async function withTimeLimit<Result>(
  clock: Pick<Clock, "after">,
  ms: number,
  work: (signal: AbortSignal) => Promise<Result> | Result,
  parent?: AbortSignal,
): Promise<Result> {
  const controller = new AbortController();
  const { signal } = controller;
  const stop = () => controller.abort(parent?.reason);
  parent?.addEventListener("abort", stop, { once: true });
  if (parent?.aborted === true) stop();
  const cancel = clock.after(ms, () =>
    controller.abort(new DOMException(`It didn't finish within ${ms / 1000} s.`, "TimeoutError")),
  );
  try {
    return await Promise.race([aborted(signal), work(signal)]);
  } finally {
    cancel();
    parent?.removeEventListener("abort", stop);
  }
}

/** Rejects with the signal's reason, when that aborts. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
