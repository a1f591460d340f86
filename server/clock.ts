import { readFileSync } from "node:fs";
import { platform } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { type Db, write } from "#db/client.ts";
import { readSetting, writeSetting } from "#db/settings.ts";

/** Time and chance as the server uses them. Production has one of these; a simulation brings its own. */
export type Clock = {
  /** Wall clock, Unix ms: for people and calendars. It can be set forward or back at any moment. */
  now: () => number;
  /**
   * Ms that only ever grow, whatever happens to the wall clock, and that all processes of an installation share, across
   * restarts too. For ages, leases and due times. Starts near Unix time, but must never be compared with `now`.
   */
  monotonic: () => number;
  /** Calls back once, `ms` from now. The result cancels it. Does not keep the process alive. */
  after: (ms: number, callback: () => void) => () => void;
  /** Resolves `ms` from now; rejects with the signal's reason when that aborts first. */
  wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** A signal that aborts with a TimeoutError `ms` from now. */
  deadline: (ms: number) => AbortSignal;
};

export const anchorName = "monotonic-anchor";
export const anchorSchema = z.object({ boot: z.string(), offset: z.number(), seen: z.number() });

/**
 * The system's clock. What `monotonic` counts from is kept in the database: the processes of one boot share it, and
 * after a reboot it continues from where it was last seen.
 */
export function createClock(db: Db): Clock {
  const offset = write(db, (tx) => {
    const known = readSetting(tx, anchorName, anchorSchema);
    const boot = bootId();
    const since = sinceBoot();
    const found =
      known !== undefined && known.boot === boot
        ? known.offset
        : Math.max(Date.now(), (known?.seen ?? 0) + 1) - since;
    writeSetting(tx, anchorName, { boot, offset: found, seen: found + since });
    return found;
  });
  return {
    now: Date.now,
    monotonic: () => offset + sinceBoot(),
    after(ms, callback) {
      const timer = setTimeout(callback, ms).unref();
      return () => clearTimeout(timer);
    },
    wait: (ms, signal) => pause(ms, undefined, signal === undefined ? {} : { signal }),
    deadline: AbortSignal.timeout,
  };
}

/**
 * Writes down where `monotonic` stands. A worker may run for months, and after a reboot the wall clock may be behind:
 * without this, what was due and who held a lease before the reboot would be as far in the future.
 */
export function noteMonotonic({ db, monotonic }: Pick<Clock, "monotonic"> & { db: Db }): void {
  write(db, (tx) => {
    const known = readSetting(tx, anchorName, anchorSchema);
    if (known !== undefined) writeSetting(tx, anchorName, { ...known, seen: monotonic() });
  });
}

/** Ms since the machine started: the same for every process. Whole, because SQLite keeps them as integers. */
const sinceBoot = () => Math.floor(Number(process.hrtime.bigint() / 1_000_000n));

/** Changes with every start of the machine. Without one, each process counts on from what was last seen. */
function bootId(): string {
  if (platform() === "linux") {
    try {
      return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    } catch {
      // Not mounted: as on other systems.
    }
  }
  return `process ${process.pid}`;
}
