import { catalogue } from "../server/operations/catalogue.ts";
import { killAtBoundaries, livesOf } from "./everyBoundary.ts";
import { createRandom, type Story } from "./story.ts";

/** Of some three hundred boundaries. */
const share = 0.03;

/** One life of each kind, all in one Spawner, whose worker dies at a few boundaries: another choice for each seed. */
export function quickChoice(seed: number, postgresUrl: string): Promise<Story> {
  const random = createRandom(seed);
  const lives = Object.values(catalogue).flatMap((definition) => {
    const all = livesOf(definition);
    return all[Math.floor(random() * all.length)] ?? [];
  });
  return killAtBoundaries(`worker killed at a few boundaries, seed ${seed}`, lives, {
    ...{ postgresUrl, seed, share, isQuick: true },
  });
}
