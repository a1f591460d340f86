import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { firingsNeeded, merge, rareFaults } from "./batch.ts";
import { liveInParallel } from "./crew.ts";
import { faultKinds } from "./faults.ts";
import { huntAll } from "./huntAll.ts";
import { live } from "./life.ts";
import { planOf } from "./plan.ts";
import { shrink } from "./shrink.ts";
import { createTemplate } from "./template.ts";

/**
 * `npm run simulate -- --seeds 10000 --from 1`: lives that many lives and says which rules broke, with the shortest story
 * of each. `--seed 42` replays one and tells all of it; `--seed 42 --keep "what went wrong"` adds its shortest story to
 * onceFailed.json, which every `npm test` lives again. `--bugs` shows that bugs which are planted are found.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    keep: { type: "string" },
    bugs: { type: "boolean" },
    only: { type: "string", default: "" },
  },
});
const say = (line: string) => void process.stdout.write(`${line}\n`);

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  process.stderr.write(`--${name} needs a whole number, not "${text}".\n`);
  process.exit(2);
}

async function replay(seed: string): Promise<boolean> {
  const { template, env } = createTemplate();
  const { violations, story } = await live(planOf(seed), template, env, true);
  for (const line of story) say(line);
  say(violations.length === 0 ? "\nNo rule was broken." : `\n${violations.length} rules were broken.`);
  return violations.length === 0;
}

async function explain(seed: string): Promise<void> {
  const { template, env } = createTemplate();
  const failing = await live(planOf(seed), template, env);
  const { plan, lives } = await shrink(failing, template, env);
  const { story } = await live(plan, template, env, true);
  say(`\nSeed ${seed}, shortened in ${lives} lives to ${plan.happenings.length} happenings:`);
  for (const line of story) say(`  ${line}`);
  say(`  Replay it whole: npm run simulate -- --seed ${seed}`);
}

/** Writes down the shortest history of a seed that breaks a rule, to be lived again in every test. */
async function keep(seed: string, why: string): Promise<boolean> {
  const { template, env } = createTemplate();
  const failing = await live(planOf(seed), template, env);
  if (failing.violations.length === 0) {
    say("No rule was broken: there is nothing to keep.");
    return false;
  }
  const { plan, rule } = await shrink(failing, template, env);
  const file = join(import.meta.dirname, "onceFailed.json");
  const kept = z.array(z.unknown()).parse(JSON.parse(readFileSync(file, "utf8")));
  writeFileSync(file, `${JSON.stringify([...kept, { why, plan }], undefined, 2)}\n`);
  say(`Kept as "${why}" (${rule}), with ${plan.happenings.length} happenings.`);
  return true;
}

/** The stories of that many different rules are told. */
const storiesTold = 5;

async function simulate(count: number, from: number): Promise<boolean> {
  const seeds = Array.from({ length: count }, (_, index) => String(from + index));
  const began = performance.now();
  let lived = 0;
  const whole = merge(
    await liveInParallel(seeds, ({ lives, failures }) => {
      lived += lives;
      for (const { seed, rule, what } of failures) say(`✗ seed ${seed}: ${rule}: ${what}`);
      if (lived % 1000 === 0) say(`${lived} lives`);
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const stories = [...new Map(whole.failures.map((failure) => [failure.rule, failure])).values()];
  for (const { seed } of stories.slice(0, storiesTold)) await explain(seed);

  say(`\nFaults, by how often they struck (each at least ${firingsNeeded(whole.lives)} times):`);
  for (const kind of faultKinds) say(`  ${kind.padEnd(26)}${String(whole.fired[kind] ?? 0).padStart(8)}`);
  const rare = rareFaults(whole);
  for (const { kind, count: times } of rare)
    say(`✗ ${kind} struck ${times} times only: that proves nothing.`);
  say(
    `\n${whole.lives} lives, ${whole.failures.length} with a broken rule, in ${seconds.toFixed(0)} s (${((1000 * seconds) / whole.lives).toFixed(0)} ms each)`,
  );
  return whole.failures.length === 0 && rare.length === 0;
}

const isGood =
  values.bugs === true
    ? await huntAll(values.only, say)
    : values.seed === undefined
      ? await simulate(wholeNumber("seeds", values.seeds), wholeNumber("from", values.from))
      : values.keep === undefined
        ? await replay(values.seed)
        : await keep(values.seed, values.keep);
process.exitCode = isGood ? 0 : 1;
