import type { Engine } from "#server/operations/engine/engine.ts";
import { report } from "#server/report.ts";
import { withTimeLimit } from "#server/timeLimit.ts";
import { startDueBackups, startDueRestoreTests } from "./dueBackups.ts";
import { purgeExpired } from "./expiry.ts";
import { removeOldHealthHours } from "./healthHistory.ts";
import { tidyBackupStore, tidyPlaybookRuns } from "./interruptedWork.ts";
import { noteLateSnapshots } from "./lateSnapshots.ts";
import { underLease } from "./lease.ts";
import { noteLostDroplets } from "./lostDroplets.ts";
import { removeOldSnapshots } from "./oldSnapshots.ts";
import { warnOfOrphans } from "./orphanWarnings.ts";
import { reconcile } from "./reconciliation.ts";
import { endRedirects } from "./redirects.ts";
import { applyRetention } from "./retention.ts";
import { warnOfStaleBackups } from "./staleBackups.ts";

/** One thing that time brings. Its signal aborts when it has taken too long. */
type Chore = (engine: Engine, signal: AbortSignal) => Promise<void> | void;

const choreMs = 2 * 60_000;

const chores: [fault: string, chore: Chore][] = [
  ["the backups that are due could not be begun", startDueBackups],
  ["the restore proofs that are due could not be begun", startDueRestoreTests],
  ["backups past their retention could not be removed", applyRetention],
  ["snapshots that were late could not be recorded", noteLateSnapshots],
  ["old snapshots could not be removed", removeOldSnapshots],
  ["redirects whose time is over could not be removed", endRedirects],
  ["snapshots and backups of destroyed instances could not be removed", purgeExpired],
  ["what playbooks left behind could not be removed", tidyPlaybookRuns],
  ["what interrupted uploads left behind could not be removed", tidyBackupStore],
  ["old health history could not be removed", removeOldHealthHours],
  ["nobody could be warned of old backups", warnOfStaleBackups],
  ["DigitalOcean could not be compared with our records", reconcile],
  ["nobody could be warned of orphans", warnOfOrphans],
  ["could not check whether droplets are gone", noteLostDroplets],
];

/** Chores of this process that were given up and have not ended: they are not begun a second time beside themselves. */
const hanging = new WeakMap<Engine, Set<Chore>>();

/**
 * What time brings: backups and proofs that are due, backups and snapshots nobody needs any more, redirects whose time
 * is over, what is kept of destroyed instances, what interrupted work left behind, warnings, and what differs at
 * DigitalOcean. Run every minute, by one worker at a time; whatever fails or takes too long is tried by the next.
 */
export async function runMaintenance(engine: Engine): Promise<void> {
  const given = hanging.get(engine) ?? new Set();
  hanging.set(engine, given);
  await underLease(engine, "maintenance", async (signal) => {
    for (const [fault, chore] of chores) {
      if (signal.aborted) return report("maintenance was stopped", signal.reason);
      if (given.has(chore)) {
        report(`${fault}: an earlier try still hangs`);
        continue;
      }
      try {
        await withTimeLimit(engine, choreMs, (bound) => watched(given, chore, engine, bound), signal);
      } catch (error) {
        report(fault, error);
      }
    }
  });
}

/** Runs a chore, which is among the `running` until it has really ended. */
async function watched(
  running: Set<Chore>,
  chore: Chore,
  engine: Engine,
  signal: AbortSignal,
): Promise<void> {
  running.add(chore);
  try {
    await chore(engine, signal);
  } finally {
    running.delete(chore);
  }
}
