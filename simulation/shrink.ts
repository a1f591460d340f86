import type { Env } from "#server/env.ts";
import { type LifeResult, live } from "./life.ts";
import type { Plan } from "./plan.ts";

/** How many lives may be spent on one history. */
const budget = 300;

/**
 * The shortest history found that still breaks the same rule: pieces of the plan are left out, half of it at first, then
 * less, as long as the rule stays broken (ddmin). What is left is what it takes.
 */
export async function shrink(
  failing: LifeResult,
  template: Buffer,
  env: Env,
): Promise<{ plan: Plan; rule: string; lives: number }> {
  const rule = failing.violations[0]?.rule ?? "";
  let lives = 0;
  const stillBroken = async (plan: Plan): Promise<boolean> => {
    lives += 1;
    return (await live(plan, template, env)).violations.some((one) => one.rule === rule);
  };
  let plan = failing.resolved;
  if (!(await stillBroken(plan))) return { plan, rule, lives };
  for (let size = Math.ceil(plan.happenings.length / 2); size >= 1 && lives < budget; ) {
    const shorter = await withoutOnePiece(plan, size, stillBroken, () => lives < budget);
    if (shorter !== undefined) plan = shorter;
    else size = size === 1 ? 0 : Math.floor(size / 2);
  }
  const alone = { ...plan, workers: 1 };
  if (plan.workers > 1 && lives < budget && (await stillBroken(alone))) plan = alone;
  return { plan, rule, lives };
}

async function withoutOnePiece(
  plan: Plan,
  size: number,
  stillBroken: (plan: Plan) => Promise<boolean>,
  mayGoOn: () => boolean,
): Promise<Plan | undefined> {
  for (let start = 0; start < plan.happenings.length && mayGoOn(); start += size) {
    const happenings = plan.happenings.filter((_, index) => index < start || index >= start + size);
    const shorter = { ...plan, happenings };
    if (await stillBroken(shorter)) return shorter;
  }
  return undefined;
}
