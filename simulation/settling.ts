import { settledMs } from "#server/drift/compare.ts";
import { reconciliationState } from "#server/drift/state.ts";
import { visibilityWindowMs } from "#server/operations/steps/dropletPresence.ts";
import type { People } from "./people.ts";
import type { Rules } from "./rules.ts";
import { type World, workersOf } from "./spawner.ts";

/** For as long at most is waited, twice: until differences are found, and after somebody has put them right. */
export const settleMs = 25 * 60_000;
/** Lists and rows count whole seconds, and what was under way needs a moment. */
const marginMs = 60_000;
/** How often whoever looks now and then has looked at the end. */
const looksNeeded = 2;

/**
 * Tells when nothing more is to be expected of a life after its faults. The rules that are asked at its end count on
 * what time brings: reconciliation has compared everything after the ten minutes for which it judges nothing that has
 * changed, what it has found stands long enough to be shown with its buttons, and what was due is done.
 */
export function createSettling(world: World, people: People, rules: Rules) {
  const { machine, db, connection, cloud } = world;
  const { timeline, wall } = machine;
  const newestFinding = connection.prepare<[], number>("select max(found_monotonic) from drift").pluck();
  const isDueBefore = connection
    .prepare<{ at: number }, number>(
      `select exists (select 1 from instances where next_backup_at <= @at or next_restore_test_at <= @at
        or (kept_until <= @at and destroyed_at is not null and purged_at is null))`,
    )
    .pluck();
  let horizon = Number.POSITIVE_INFINITY;
  let rightSince: number | undefined;
  let looks = 0;
  /** Rounds of reconciliation that came to their end, and when the newest of them began. */
  let rounds = 0;
  let newestRound = Number.NEGATIVE_INFINITY;
  let checkedAt: number | undefined;

  /** DigitalOcean shows what there is, nothing is under way, and nobody sleeps who may still send something. */
  function isRight(): boolean {
    const processes = [people.process, ...workersOf(world).map(({ process }) => process)];
    return cloud.isRight() && rules.isQuiet() && processes.every((one) => !one.isStopped);
  }

  /** Whether the page Drift shows all that the newest round has found. */
  const isAllShown = () => (newestFinding.get() ?? 0) + visibilityWindowMs <= (checkedAt ?? 0);

  return {
    /** The faults are over, and everything has ended once. */
    begin(): void {
      horizon = timeline.now + 2 * settleMs;
      looks = 0;
      rounds = 0;
    },
    /** A round of maintenance that began then is over; reconciliation may have had its turn in it. */
    maintained(began: number): void {
      const { checkedMonotonic } = reconciliationState(db);
      if (checkedMonotonic === checkedAt) return;
      checkedAt = checkedMonotonic;
      rounds += 1;
      newestRound = began;
    },
    lookedAtAll(): void {
      looks += 1;
    },
    /** To be asked after each entry of the timeline. */
    isSettled(): boolean {
      rightSince = isRight() ? (rightSince ?? timeline.now) : undefined;
      return (
        rightSince !== undefined &&
        newestRound >= rightSince + settledMs + marginMs &&
        rounds >= looksNeeded &&
        looks >= looksNeeded &&
        isAllShown() &&
        isDueBefore.get({ at: wall.base + horizon + wall.shift }) === 0
      );
    },
  };
}
