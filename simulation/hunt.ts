import { fork } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Batch, batchSchema, type Order } from "./batch.ts";
import { childOptions } from "./crew.ts";
import type { Focus } from "./plan.ts";
import { type Change, type PlantedBug, plantedBugs } from "./plantedBugs.ts";

const root = join(import.meta.dirname, "..");
/** What a life is made of. */
const folders = ["server", "db", "simulation", "local-cloud"];

export const changesOf = ({ also, ...first }: PlantedBug): Change[] =>
  also === undefined ? [first] : [first, also];

function plant(folder: string, { file, from, to }: Change): void {
  const path = join(folder, file);
  const [before = "", after, ...more] = readFileSync(path, "utf8").split(from);
  if (after === undefined || more.length > 0)
    throw new Error(`${file} must hold this exactly once, and the bug must be planted anew: ${from}`);
  writeFileSync(path, before + to + after);
}

/** Plants a bug into a copy of the code; `work` gets the copy's folder. */
export async function withBug<Result>(
  bug: PlantedBug,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "spawner-planted-"));
  try {
    for (const name of folders) cpSync(join(root, name), join(folder, name), { recursive: true });
    for (const name of ["package.json", "tsconfig.json"]) cpSync(join(root, name), join(folder, name));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    for (const change of changesOf(bug)) plant(folder, change);
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A process that lives lives with the code in a folder, one order after the other. */
export type Crew = { live: (order: Order) => Promise<Batch>; end: () => void };

function crewIn(folder: string): Crew {
  const child = fork(join(folder, "simulation", "crewMember.ts"), childOptions(folder));
  let last: Promise<unknown> = Promise.resolve();
  const ask = (order: Order): Promise<Batch> =>
    new Promise((resolve, reject) => {
      const end = (code: number | null) => reject(new Error(`The lives in ${folder} ended with ${code}.`));
      child.once("error", reject).once("exit", end);
      child.once("message", (message) => {
        child.off("error", reject).off("exit", end);
        resolve(batchSchema.parse(message));
      });
      child.send(order);
    });
  return {
    live(order) {
      const next = last.then(() => ask(order));
      last = next.catch(() => {});
      return next;
    },
    end: () => void child.kill(),
  };
}

/** The same code without any bug. */
export const soundCrew = (): Crew => crewIn(root);

export type Hunt = {
  found: { seed: string; rule: string }[];
  lives: number;
  /** Lives that break a rule without the bug as well: they show nothing of it. */
  unsound: { seed: string; rule: string }[];
};

/**
 * Lives lives with the planted bug until `wanted` different seeds break a rule that they keep without it, or `most`
 * lives are over. `seeds` come first: where it was found the last time.
 */
export async function hunt(
  folder: string,
  sound: Crew,
  options: { seeds: readonly string[]; focus: Focus; wanted: number; most: number },
): Promise<Hunt> {
  const { focus, wanted, most } = options;
  const crew = crewIn(folder);
  const result: Hunt = { found: [], lives: 0, unsound: [] };
  let next = 1;
  const left = [...options.seeds];
  const portion = (): string[] => {
    if (left.length > 0) return left.splice(0, left.length);
    const seeds = Array.from({ length: 10 }, (_, index) => String(next + index));
    next += 10;
    return seeds.filter((seed) => !options.seeds.includes(seed));
  };
  try {
    while (result.found.length < wanted && result.lives < most) {
      const { lives, failures } = await crew.live({ seeds: portion(), focus });
      result.lives += lives;
      const without = await sound.live({ seeds: failures.map(({ seed }) => seed), focus });
      result.unsound.push(...without.failures);
      const isShown = ({ seed }: { seed: string }) => without.failures.every((one) => one.seed !== seed);
      result.found.push(...failures.filter(isShown));
    }
    return result;
  } finally {
    crew.end();
  }
}

/** Where each bug was found, by its name: three seeds are enough to see that it still is. */
const knownSeedsSchema = z.record(z.string(), z.array(z.string()));
const knownSeedsFile = join(import.meta.dirname, "plantedBugs.json");
export const readKnownSeeds = () => knownSeedsSchema.parse(JSON.parse(readFileSync(knownSeedsFile, "utf8")));
/** Of bugs that are still planted, in their order; a line each, as the formatter wants it. */
export function writeKnownSeeds(known: Record<string, string[]>): void {
  const lines = plantedBugs.flatMap(({ name }) => {
    const seeds = known[name]?.map((seed) => JSON.stringify(seed)).join(", ");
    return seeds === undefined ? [] : [`  ${JSON.stringify(name)}: [${seeds}]`];
  });
  writeFileSync(knownSeedsFile, `{\n${lines.join(",\n")}\n}\n`);
}
