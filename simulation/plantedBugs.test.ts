import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { hunt, readKnownSeeds, withBug } from "./hunt.ts";
import { plantedBugs } from "./plantedBugs.ts";

const known = readKnownSeeds();

test("at least thirty bugs are planted, each under a name of its own", () => {
  expect(new Set(plantedBugs.map(({ name }) => name)).size).toBeGreaterThanOrEqual(30);
});

test("each of them can be planted in today's sources", () => {
  const isPlantable = ({ file, from }: (typeof plantedBugs)[number]) =>
    readFileSync(join(import.meta.dirname, "..", file), "utf8").includes(from);
  expect(plantedBugs.filter((bug) => !isPlantable(bug)).map(({ name }) => name)).toEqual([]);
});

// The seeds that found a bug are written down by `npm run simulate -- --bugs`, which also names those that none has
// found. Where the product has changed since, others are tried as well.
test.each(plantedBugs.filter(({ name }) => (known[name] ?? []).length === 3))(
  "the simulation finds that $name",
  async (bug) => {
    const seeds = known[bug.name] ?? [];
    const { found } = await withBug(bug, (folder) =>
      hunt(folder, { seeds, focus: bug.focus, wanted: 3, most: 200 }),
    );
    expect(new Set(found.map(({ seed }) => seed)).size).toBeGreaterThanOrEqual(3);
  },
  300_000,
);
