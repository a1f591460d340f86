import { beforeAll, describe, expect, test } from "vitest";
import type { Env } from "../server/env.ts";
import { firingsNeeded, merge, rareFaults } from "./batch.ts";
import { liveInParallel } from "./crew.ts";
import { live } from "./life.ts";
import onceFailed from "./onceFailed.json" with { type: "json" };
import { planOf, planSchema } from "./plan.ts";
import { createTemplate } from "./template.ts";

/** Lives that `npm test` lives each day, other ones every day. */
const lives = 1000;

let template: Buffer;
let env: Env;
beforeAll(() => {
  ({ template, env } = createTemplate());
});

test("a thousand lives of today keep every rule, and every fault strikes often enough", async () => {
  const today = new Date().toISOString().slice(0, 10);
  const seeds = Array.from({ length: lives }, (_, index) => `${today}/${index}`);
  const whole = merge(await liveInParallel(seeds, () => {}));
  expect(whole.failures, `replay one with: npm run simulate -- --seed ${whole.failures[0]?.seed}`).toEqual(
    [],
  );
  expect(whole.lives).toBe(lives);
  expect(firingsNeeded(lives)).toBe(10);
  expect(rareFaults(whole)).toEqual([]);
}, 900_000);

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
