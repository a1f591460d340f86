import type { Timeline } from "./timeline.ts";

/** Everything that may go wrong in a life. Each must fire often enough in a run, or the run proves nothing of it. */
export const faultKinds = [
  // DigitalOcean's API
  "rate-limited",
  "error-before-effect",
  "error-after-effect",
  "answer-lost",
  "never-sent",
  "single-404",
  "wrong-account",
  "listed-twice",
  "list-shifts",
  "not-found-after-create",
  "list-lags",
  "action-errors",
  "action-slow",
  "droplet-stays",
  "slow-boot",
  "ssh-refused",
  // people at DigitalOcean
  "droplet-deleted-by-hand",
  "record-edited-by-hand",
  "foreign-record",
  // processes and the queue
  "worker-killed",
  "worker-killed-in-call",
  "worker-stopped",
  "machine-restarted",
  "wake-up-lost",
  "wake-up-twice",
  "queue-down",
  // time and disk
  "clock-forward",
  "clock-back",
  "daylight-saving",
  "disk-full",
  // playbooks
  "playbook-fails",
  "playbook-hangs",
  "swap-interrupted",
  "version-broken",
  "old-version-answers",
  // backups
  "store-damages",
  "store-forgets",
  "store-delays",
  "store-silent",
  "transfer-breaks",
  "transfer-damages",
  "transfer-slow",
  // mail
  "mail-answer-lost",
  "mail-down",
] as const;
export type FaultKind = (typeof faultKinds)[number];

/** Faults that the Spawner has to wait for or get round: no operation may fail because of them. */
export const harmlessFaults: ReadonlySet<FaultKind> = new Set([
  "listed-twice",
  "list-shifts",
  "not-found-after-create",
  "list-lags",
  "action-slow",
  "ssh-refused",
  "worker-killed",
  "worker-killed-in-call",
  "worker-stopped",
  "wake-up-lost",
  "wake-up-twice",
  "queue-down",
  "clock-forward",
  "clock-back",
  "daylight-saving",
  "store-delays",
  "transfer-slow",
  "mail-answer-lost",
  "mail-down",
]);

export type Faults = {
  /** Makes `times` of the next fitting moments within `lastsMs` go wrong. */
  arm: (kind: FaultKind, times: number, lastsMs: number) => void;
  /** Whether it goes wrong this time. */
  strikes: (kind: FaultKind) => boolean;
  /** Whether it is armed now, without using it up. */
  isArmed: (kind: FaultKind) => boolean;
  /** Counts one that does not wait for a moment. */
  count: (kind: FaultKind) => void;
  /** From now on nothing goes wrong any more. */
  end: () => void;
  readonly fired: ReadonlyMap<FaultKind, number>;
};

export function createFaults(timeline: Timeline): Faults {
  const armed = new Map<FaultKind, { times: number; until: number }>();
  const fired = new Map<FaultKind, number>();
  let isOver = false;
  const find = (kind: FaultKind) => {
    const fault = armed.get(kind);
    return isOver || fault === undefined || fault.times <= 0 || fault.until < timeline.now
      ? undefined
      : fault;
  };
  const count = (kind: FaultKind) => fired.set(kind, (fired.get(kind) ?? 0) + 1);
  return {
    arm(kind, times, lastsMs) {
      armed.set(kind, { times, until: timeline.now + lastsMs });
    },
    strikes(kind) {
      const fault = find(kind);
      if (fault === undefined) return false;
      fault.times -= 1;
      count(kind);
      return true;
    },
    isArmed: (kind) => find(kind) !== undefined,
    count,
    end() {
      isOver = true;
    },
    fired,
  };
}
