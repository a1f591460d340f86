import type { Engine } from "../operations/engine.ts";
import { report } from "../report.ts";
import { beginDueBackups, beginDueProofs } from "./dueBackups.ts";
import { purgeExpired } from "./expiry.ts";
import { removeOldSnapshots } from "./oldSnapshots.ts";
import { warnOfOrphans } from "./orphanWarnings.ts";
import { reconcile } from "./reconciliation.ts";
import { endRedirects } from "./redirects.ts";
import { applyRetention } from "./retention.ts";
import { warnOfStaleBackups } from "./staleBackups.ts";

/**
 * What time brings: backups and proofs that are due, backups and snapshots nobody needs any more, redirects whose time
 * is over, what is kept of destroyed instances, warnings, and what differs at DigitalOcean. Run every minute; whatever fails is tried by the next.
 */
export async function runMaintenance(engine: Engine): Promise<void> {
  const chores: [what: string, chore: (engine: Engine) => Promise<void> | void][] = [
    ["the backups that are due could not be begun", beginDueBackups],
    ["the restore proofs that are due could not be begun", beginDueProofs],
    ["backups that are not kept any more could not be removed", applyRetention],
    ["snapshots that are not kept any more could not be removed", removeOldSnapshots],
    ["redirects whose time is over could not be removed", endRedirects],
    ["what was kept of destroyed instances could not be removed", purgeExpired],
    ["nobody could be warned of old backups", warnOfStaleBackups],
    ["DigitalOcean could not be compared with our records", reconcile],
    ["nobody could be warned of orphans", warnOfOrphans],
  ];
  for (const [what, chore] of chores) {
    try {
      await chore(engine);
    } catch (error) {
      report(what, error);
    }
  }
}
