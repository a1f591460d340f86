/** DigitalOcean's limits: 250 requests in a minute, 5,000 in an hour; a few are left for the person at its console. */
const limits = [
  { windowMs: 60_000, requests: 240 },
  { windowMs: 3_600_000, requests: 4900 },
];

/** What was leased and not sent within this time is lost, so that a lease counts this much longer than its window. */
const leaseMs = 5000;
const largestLease = 16;

/** A longer wait than for the minute's end is handed back: nobody sits in a worker's slot for an hour. */
const longestWaitMs = 60_000 + leaseMs;

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
   * BudgetSpent when that is much more than a minute away.
   */
  take: (signal?: AbortSignal) => Promise<void>;
  /** Nobody asks for this long: DigitalOcean said so. */
  pauseFor: (ms: number) => void;
  /** What DigitalOcean itself still allows, and how many ms until it allows more. */
  learn: (remaining: number, resetInMs: number) => void;
};

/**
 * The part of the limits up to which each kind of process may fill them. The limits hold for the token, whoever asks:
 * however many workers there are, they leave room for the dashboard (what is on offer, whether the token is good).
 */
export const budgetShares = { web: 1, worker: 7 / 8 } as const;

/** Requests that a process leased together, and when. */
export type Lease = { at: number; requests: number };
/** How many of the wanted requests may be sent, and when there are none, in how many ms to ask again. */
export type Grant = { requests: number; waitMs: number };

/**
 * The leases of all processes that use one token. A process leases a few requests at a time: more when it sends many,
 * so that its book-keeping stays cheap, and one when it hardly sends any.
 */
export type Ledger = { lease: (wanted: number, share: number) => Grant };

/** Grants what the limits leave at the time `at` (ms that only grow). Gives back the leases that still count. */
export function grantLease(
  before: readonly Lease[],
  { at, wanted, share }: { at: number; wanted: number; share: number },
): Grant & { leases: Lease[] } {
  const leases = compacted(before, at);
  const free = limits.map(({ windowMs, requests }) => {
    const counted = leases.filter((lease) => lease.at > at - windowMs - leaseMs);
    let room = Math.floor(requests * share) - counted.reduce((sum, lease) => sum + lease.requests, 0);
    if (room > 0) return { room, waitMs: 0 };
    // The lease whose end makes room for one more.
    const next = counted.find((lease) => {
      room += lease.requests;
      return room > 0;
    });
    return { room: 0, waitMs: (next?.at ?? at) + windowMs + leaseMs - at };
  });
  const requests = Math.min(wanted, ...free.map(({ room }) => room));
  if (requests === 0) return { requests, waitMs: Math.max(...free.map(({ waitMs }) => waitMs)), leases };
  return { requests, waitMs: 0, leases: [...leases, { at, requests }] };
}

/** Without those that count no more; of those that only count for the hour, one for each minute. */
function compacted(leases: readonly Lease[], at: number): Lease[] {
  const kept: Lease[] = [];
  for (const lease of leases) {
    if (lease.at <= at - 3_600_000 - leaseMs) continue;
    const last = kept.at(-1);
    const isOld = lease.at <= at - 120_000;
    if (isOld && last !== undefined && Math.floor(last.at / 60_000) === Math.floor(lease.at / 60_000))
      kept[kept.length - 1] = { at: lease.at, requests: last.requests + lease.requests };
    // A process whose clock is ahead has not leased later than now.
    else kept.push({ ...lease, at: Math.min(lease.at, at) });
  }
  return kept;
}

/** The ledger of a process that shares its token with nobody. */
export function createLedger(monotonic: () => number): Ledger {
  let leases: Lease[] = [];
  return {
    lease(wanted, share) {
      const grant = grantLease(leases, { at: monotonic(), wanted, share });
      leases = grant.leases;
      return grant;
    },
  };
}

type Clock = { monotonic: () => number; wait: (ms: number, signal?: AbortSignal) => Promise<void> };

/** One budget for the whole process, so that nobody runs into a 429; it spends what it leases from the ledger. */
export function createBudget({ monotonic, wait }: Clock, ledger: Ledger, share = 1): Budget {
  let lease = { left: 0, size: 1, until: 0 };
  let pausedUntil = 0;
  let tail: Promise<void> = Promise.resolve();

  /** How long until a request may go: 0 when one is leased. */
  function waitMs(): number {
    const at = monotonic();
    if (pausedUntil > at) return pausedUntil - at;
    if (lease.left > 0 && at < lease.until) return 0;
    // Used up before its time: more are needed.
    const size = lease.left === 0 && at < lease.until ? Math.min(lease.size * 2, largestLease) : 1;
    const granted = ledger.lease(size, share);
    lease = { left: granted.requests, size, until: at + leaseMs };
    return granted.waitMs;
  }

  const pauseFor = (ms: number): void => {
    pausedUntil = Math.max(pausedUntil, monotonic() + ms);
  };

  return {
    take(signal) {
      const turn = tail.then(async () => {
        for (let ms = waitMs(); ms > 0; ms = waitMs()) {
          if (ms > longestWaitMs) throw new BudgetSpent(ms);
          await wait(ms, signal);
        }
        signal?.throwIfAborted();
        lease.left -= 1;
      });
      tail = turn.catch(() => {});
      return turn;
    },
    pauseFor,
    learn(remaining, resetInMs) {
      if (remaining <= 0 && resetInMs > 0) pauseFor(Math.min(resetInMs, 3_600_000));
    },
  };
}
