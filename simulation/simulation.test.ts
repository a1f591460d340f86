import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Env } from "#server/env.ts";
import { merge } from "./batch.ts";
import { liveInParallel } from "./crew.ts";
import { live } from "./life.ts";
import onceFailed from "./onceFailed.json" with { type: "json" };
import { planOf, planSchema } from "./plan.ts";
import { createTemplate } from "./template.ts";

/** Lives that are lived each day, others every day. */
const lives = 1000;
/** Names of today's seeds begin with it; UTC, so that a failure is the same one everywhere. */
const today = new Date().toISOString().slice(0, 10);

let template: Buffer;
let env: Env;
beforeAll(() => {
  ({ template, env } = createTemplate());
});

test("today's lives keep every rule", async () => {
  const seeds = Array.from({ length: lives }, (_, index) => `${today}/${index}`);
  const whole = merge(await liveInParallel(seeds, () => {}));
  expect(whole.failures, `replay one with: npm run simulate -- --seed ${whole.failures[0]?.seed}`).toEqual(
    [],
  );
  expect(whole.lives).toBe(lives);
}, 900_000);

test("--seed replays a life and tells its story, the same in any time zone and language", async () => {
  const { story, violations } = await live(planOf("gate/0"), template, env, true);
  const command = [resolve(import.meta.dirname, "../start/simulate.ts"), "--seed", "gate/0"];
  const elsewhere = { TZ: "Pacific/Auckland", LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8" };
  const { status, stdout } = spawnSync(process.execPath, command, {
    encoding: "utf8",
    env: { ...process.env, ...elsewhere },
  });
  expect(violations).toEqual([]);
  expect(story.length).toBeGreaterThan(10);
  expect(stdout).toBe(`${story.join("\n")}\n\nNo rule was broken.\n`);
  expect(status).toBe(0);
});

test.each(onceFailed)("$why: a history that failed once", async ({ plan }) => {
  const { violations } = await live(planSchema.parse(plan), template, env);
  expect(violations).toEqual([]);
});

describe("a life", () => {
  test("is the same each time it is lived", async () => {
    const first = await live(planOf("the same"), template, env, true);
    await live(planOf("another"), template, env);
    const second = await live(planOf("the same"), template, env, true);
    expect(first.story.length).toBeGreaterThan(10);
    expect(second.story).toEqual(first.story);
  });

  test("whose clicks are narrowed to what they turned out to be is the same life", async () => {
    const first = await live(planOf("narrowed"), template, env, true);
    const second = await live(first.resolved, template, env, true);
    const clicks = (story: string[]) => story.filter((line) => line.includes("somebody presses"));
    expect(clicks(second.story)).toEqual(clicks(first.story));
  });
});
