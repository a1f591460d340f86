import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { changesOf, hunt, readKnownSeeds, soundCrew, withBug } from "./hunt.ts";
import { type Change, plantedBugs } from "./plantedBugs.ts";

const known = readKnownSeeds();
const sound = soundCrew();
afterAll(() => sound.end());

/** Each hunt is a process of its own: there are as many at a time as the machine has cores. */
const lanes: Promise<unknown>[] = Array.from({ length: availableParallelism() }, () => Promise.resolve());
function inLane<Result>(index: number, work: () => Promise<Result>): Promise<Result> {
  const lane = index % lanes.length;
  const result = (lanes[lane] ?? Promise.resolve()).then(work);
  lanes[lane] = result.catch(() => {});
  return result;
}

test("at least thirty bugs are planted, each under a name of its own", () => {
  expect(new Set(plantedBugs.map(({ name }) => name)).size).toBeGreaterThanOrEqual(30);
});

test("each of them can be planted in today's sources", () => {
  const isPlantable = ({ file, from }: Change) =>
    readFileSync(join(import.meta.dirname, "..", file), "utf8").split(from).length === 2;
  const outdated = plantedBugs.filter((bug) => !changesOf(bug).every(isPlantable));
  expect(outdated.map(({ name }) => name)).toEqual([]);
});

// The seeds that found a bug are written down by `npm run simulate -- --bugs`. Where the product has changed since, others
// are tried as well. They find it, as the same lives without it break no rule.
test.concurrent.each(plantedBugs.map((bug, index) => ({ ...bug, index })))(
  "the simulation finds that $name",
  async ({ index, ...bug }) => {
    const seeds = known[bug.name] ?? [];
    const { found, unsound } = await inLane(index, () =>
      withBug(bug, (folder) => hunt(folder, sound, { seeds, focus: bug.focus, wanted: 3, most: 200 })),
    );
    expect(unsound).toEqual([]);
    expect(new Set(found.map(({ seed }) => seed)).size).toBeGreaterThanOrEqual(3);
  },
  300_000,
);
