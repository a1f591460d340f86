import { registry } from "#server/operations/registry.ts";
import { killAtBoundaries, livesOf } from "./everyBoundary.ts";
import { createRandom, type Story } from "./story.ts";

/** Each kind needs preparations; the seed chooses some. */
const kinds = 6;
/** Of some hundred boundaries. */
const share = 0.08;

/** One life of some kinds, all in one Spawner, whose worker dies at a few boundaries: another choice for each seed. */
export function quickChoice(seed: number, postgresUrl: string): Promise<Story> {
  const random = createRandom(seed);
  const shuffled = Object.values(registry)
    .map((definition) => ({ definition, at: random() }))
    .sort((a, b) => a.at - b.at);
  const lives = shuffled.slice(0, kinds).flatMap(({ definition }) => {
    const all = livesOf(definition);
    return all[Math.floor(random() * all.length)] ?? [];
  });
  return killAtBoundaries(`worker killed at a few boundaries, seed ${seed}`, lives, {
    ...{ postgresUrl, seed, share, isQuick: true },
  });
}
