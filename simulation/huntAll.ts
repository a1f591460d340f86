import { availableParallelism } from "node:os";
import { hunt, readKnownSeeds, soundCrew, withBug, writeKnownSeeds } from "./hunt.ts";
import { plantedBugs } from "./plantedBugs.ts";

const seedsEach = 3;
const mostLives = 600;

/**
 * `npm run simulate -- --bugs [part of a name]`: plants each bug and lives lives until three different seeds have found
 * it, then writes those seeds down for the tests. Resolves with whether all were found.
 */
export async function huntAll(part: string, say: (line: string) => void): Promise<boolean> {
  const known = readKnownSeeds();
  const left = plantedBugs.filter(({ name }) => name.includes(part));
  const sound = soundCrew();
  let missed = 0;
  const work = async () => {
    for (let bug = left.shift(); bug !== undefined; bug = left.shift()) {
      const planted = bug;
      const { found, lives, unsound } = await withBug(planted, (folder) =>
        hunt(folder, sound, {
          seeds: known[planted.name] ?? [],
          focus: planted.focus,
          wanted: seedsEach,
          most: mostLives,
        }),
      );
      const rules = [...new Set(found.map(({ rule }) => rule))].join(", ");
      if (found.length < seedsEach) missed += 1;
      say(
        `${found.length < seedsEach ? "✗" : "✓"} ${planted.name}: ${found.length} of ${lives} lives (${rules})`,
      );
      for (const { seed, rule } of unsound) say(`  ✗ without the bug as well: seed ${seed}: ${rule}`);
      known[planted.name] = found.slice(0, seedsEach).map(({ seed }) => seed);
      writeKnownSeeds(known);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  sound.end();
  say(`\n${plantedBugs.length} bugs, ${missed} not found in three seeds`);
  return missed === 0;
}
