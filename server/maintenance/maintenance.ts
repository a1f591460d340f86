import { noteMonotonic } from "#server/clock.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { report } from "#server/report.ts";
import { withTimeLimit } from "#server/timeLimit.ts";
import { underLease } from "#server/underLease.ts";
import { startDueBackups, startDueRestoreTests } from "./dueBackups.ts";
import { purgeExpired } from "./expiry.ts";
import { removeOldHealthHours } from "./healthHistory.ts";
import { noteLateSnapshots } from "./lateSnapshots.ts";
import { tidyBackupStore, tidyPlaybookRuns } from "./leftovers.ts";
import { noteLostDroplets } from "./lostDroplets.ts";
import { packOldLogs } from "./oldLogs.ts";
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
  ["could not note the monotonic time", noteMonotonic],
  ["could not start due backups", startDueBackups],
  ["could not start due test restores", startDueRestoreTests],
  ["could not remove backups past their retention", applyRetention],
  ["could not record late snapshots", noteLateSnapshots],
  ["could not remove old snapshots", removeOldSnapshots],
  ["could not remove expired redirects", endRedirects],
  ["could not remove expired snapshots and backups of destroyed instances", purgeExpired],
  ["could not clean up after playbook runs", tidyPlaybookRuns],
  ["could not clean up interrupted uploads", tidyBackupStore],
  ["could not pack old logs", packOldLogs],
  ["could not remove old health history", removeOldHealthHours],
  ["could not warn of old backups", warnOfStaleBackups],
  ["could not compare DigitalOcean with our records", reconcile],
  ["could not warn of orphans", warnOfOrphans],
  ["could not check whether droplets are gone", noteLostDroplets],
];

/** Chores of this process that were given up and have not ended: they are not begun a second time beside themselves. */
const hanging = new WeakMap<Engine, Set<Chore>>();

/**
 * What time brings: backups and test restores that are due, backups and snapshots nobody needs any more, redirects whose time
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
        report(`${fault}: an earlier attempt is still hanging`);
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
