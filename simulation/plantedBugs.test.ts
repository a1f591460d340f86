import { expect, test } from "vitest";
import { hunt, readKnownSeeds, withBug } from "./hunt.ts";
import { plantedBugs } from "./plantedBugs.ts";

const known = readKnownSeeds();

test("at least thirty bugs are planted, each under a name of its own", () => {
  expect(new Set(plantedBugs.map(({ name }) => name)).size).toBeGreaterThanOrEqual(30);
});

// The seeds that found a bug are written down by `npm run simulate -- --bugs`: three lives show that they still do.
test.each(plantedBugs)(
  "the simulation finds that $name",
  async (bug) => {
    const seeds = known[bug.name] ?? [];
    expect(seeds).toHaveLength(3);
    const { found } = await withBug(bug, (folder) =>
      hunt(folder, { seeds, focus: bug.focus, wanted: 3, most: 3 }),
    );
    expect(found.map(({ seed }) => seed).sort()).toEqual([...seeds].sort());
  },
  120_000,
);
