import { Cron } from "croner";
import type { BackupPlan } from "#db/schema.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** When the plan's next backup is due after `now` (Unix ms), in its own time zone; null when it makes none. */
export function nextBackup(plan: BackupPlan, now: number): number | null {
  if (plan.every === "never") return null;
  const [hour, minute] = plan.at.split(":").map(Number);
  const cron = new Cron(`${minute} ${hour} * * ${plan.every === "week" ? plan.weekday : "*"}`, {
    timezone: plan.timeZone,
    paused: true,
  });
  return cron.nextRun(new Date(now))?.getTime() ?? null;
}

const restoreTestEveryMs = { never: null, week: 7 * dayMs, month: 30 * dayMs } as const;

/** When the next test restore is due after `now`; null when none is wanted. */
export function nextRestoreTest(plan: BackupPlan, now: number): number | null {
  const every = restoreTestEveryMs[plan.testRestoreEvery];
  return every === null ? null : now + every;
}

/** How old the newest good backup may become: its interval and half of it again. */
export const oldestMs = { never: null, day: 36 * hourMs, week: 10.5 * dayMs } as const;

/**
 * A warning when the newest good backup is older than the plan means it to be; null while all is well. A plan that was
 * just chosen, and an instance that was just made, have their first interval before them.
 */
export function staleness(
  plan: BackupPlan,
  { lastGoodAt, createdAt, now }: { lastGoodAt: number | null; createdAt: number; now: number },
): string | null {
  const limit = oldestMs[plan.every];
  if (limit === null) return null;
  const since = Math.max(lastGoodAt ?? createdAt, plan.setAt);
  if (now - since <= limit) return null;
  if (lastGoodAt === null) return "Backups are scheduled, but there's no good one yet.";
  const days = Math.floor((now - lastGoodAt) / dayMs);
  const age = days < 2 ? `${Math.floor((now - lastGoodAt) / hourMs)} hours` : `${days} days`;
  return `The newest good backup is ${age} old. One is scheduled every ${plan.every}.`;
}
