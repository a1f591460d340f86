import { expect, test } from "vitest";
import { withPostgres } from "./postgres.ts";
import { quickChoice } from "./quickChoice.ts";

test("a worker killed with -9 between two of its writes: nothing lost, leaked or done twice", async () => {
  const story = await withPostgres((url) => quickChoice(1, url));
  expect(story.violations).toEqual([]);
  expect(story.kills).toBeGreaterThan(2);
}, 180_000);
