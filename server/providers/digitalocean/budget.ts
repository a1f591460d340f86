/** DigitalOcean's limits: 250 requests in a minute, 5,000 in an hour; a few are left for the person at its console. */
const minute = { windowMs: 60_000, requests: 240 };
const hour = { windowMs: 3_600_000, requests: 4900 };

/** A longer wait than this is handed back: nobody sits in a worker's slot for an hour. */
const longestWaitMs = 60_000;

/** Thrown by {@link Budget.take} when the next request may go only in `ms` milliseconds. */
export class BudgetSpent extends Error {
  readonly ms: number;
  constructor(ms: number) {
    super(`The next request to DigitalOcean may go in ${Math.ceil(ms / 1000)} s.`);
    this.name = "BudgetSpent";
    this.ms = ms;
  }
}

export type Budget = {
  /**
   * Resolves when the next request may go; first come, first served. Rejects when the signal aborts, and with
   * BudgetSpent when that is more than a minute away.
   */
  take: (signal?: AbortSignal) => Promise<void>;
  /** Nobody asks for this long: DigitalOcean said so. */
  pauseFor: (ms: number) => void;
  /** What DigitalOcean itself still allows, and how many ms until it allows more. */
  learn: (remaining: number, resetInMs: number) => void;
};

/**
 * What each process may spend of it: the limits hold for the token, whoever asks. The dashboard needs a request now and
 * then (what is on offer, whether the token is good); the worker does everything else.
 */
export const budgetShares = { web: 1 / 8, worker: 7 / 8 } as const;

type Clock = { monotonic: () => number; wait: (ms: number, signal?: AbortSignal) => Promise<void> };

/** One budget for the whole process, so that nobody runs into a 429; `share` (0…1) when others spend from it too. */
export function createBudget({ monotonic: now, wait }: Clock, share = 1): Budget {
  const sent: number[] = [];
  let pausedUntil = 0;
  let tail: Promise<void> = Promise.resolve();

  function waitMs(): number {
    const at = now();
    while (sent[0] !== undefined && sent[0] <= at - hour.windowMs) sent.shift();
    const free = [minute, hour].map(({ windowMs, requests: all }) => {
      const requests = Math.floor(all * share);
      // The request that leaves the window next makes room for this one.
      const oldest = sent[sent.length - requests];
      return oldest === undefined ? 0 : oldest + windowMs - at;
    });
    return Math.max(0, pausedUntil - at, ...free);
  }

  return {
    take(signal) {
      const turn = tail.then(async () => {
        for (let ms = waitMs(); ms > 0; ms = waitMs()) {
          if (ms > longestWaitMs) throw new BudgetSpent(ms);
          await wait(ms, signal);
        }
        signal?.throwIfAborted();
        sent.push(now());
      });
      tail = turn.catch(() => {});
      return turn;
    },
    pauseFor(ms) {
      pausedUntil = Math.max(pausedUntil, now() + ms);
    },
    learn(remaining, resetInMs) {
      if (remaining <= 0 && resetInMs > 0)
        pausedUntil = Math.max(pausedUntil, now() + Math.min(resetInMs, hour.windowMs));
    },
  };
}
