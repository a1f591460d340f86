import { fork } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Batch, batchSchema } from "./batch.ts";
import { childOptions } from "./crew.ts";
import type { Focus } from "./plan.ts";
import type { PlantedBug } from "./plantedBugs.ts";

const root = join(import.meta.dirname, "..");
/** What a life is made of. */
const folders = ["server", "db", "simulation", "local-cloud"];

/** Plants a bug into a copy of the code; `work` gets the copy's folder. */
export async function withBug<Result>(
  { file, from, to }: PlantedBug,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), "spawner-planted-"));
  try {
    for (const name of folders) cpSync(join(root, name), join(folder, name), { recursive: true });
    for (const name of ["package.json", "tsconfig.json"]) cpSync(join(root, name), join(folder, name));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
    const path = join(folder, file);
    const [before = "", after, ...more] = readFileSync(path, "utf8").split(from);
    if (after === undefined || more.length > 0)
      throw new Error(`${file} must hold this exactly once, and the bug must be planted anew: ${from}`);
    writeFileSync(path, before + to + after);
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export type Hunt = { found: { seed: string; rule: string }[]; lives: number };

/**
 * Lives lives with the planted bug until `wanted` different seeds break a rule, or `most` lives are over. `seeds` come
 * first: where it was found the last time.
 */
export function hunt(
  folder: string,
  options: { seeds: readonly string[]; focus: Focus; wanted: number; most: number },
): Promise<Hunt> {
  const child = fork(join(folder, "simulation", "crewMember.ts"), childOptions(folder));
  const result: Hunt = { found: [], lives: 0 };
  let next = 1;
  const left = [...options.seeds];
  const portion = (): string[] => {
    if (left.length > 0) return left.splice(0, left.length);
    const seeds = Array.from({ length: 10 }, (_, index) => String(next + index));
    next += 10;
    return seeds.filter((seed) => !options.seeds.includes(seed));
  };
  return new Promise((resolve, reject) => {
    const end = () => {
      child.kill();
      resolve(result);
    };
    child.on("message", (message) => {
      const { lives, failures }: Batch = batchSchema.parse(message);
      result.lives += lives;
      for (const { seed, rule } of failures) result.found.push({ seed, rule });
      if (result.found.length >= options.wanted || result.lives >= options.most) end();
      else child.send({ seeds: portion(), focus: options.focus });
    });
    child.once("error", reject);
    child.once("exit", (code) => {
      if (code !== null) reject(new Error(`The lives with the bug ended with ${code}.`));
    });
    child.send({ seeds: portion(), focus: options.focus });
  });
}

/** Where each bug was found, by its name: three seeds are enough to see that it still is. */
export const knownSeedsSchema = z.record(z.string(), z.array(z.string()));
export const knownSeedsFile = join(import.meta.dirname, "plantedBugs.json");
export const readKnownSeeds = () => knownSeedsSchema.parse(JSON.parse(readFileSync(knownSeedsFile, "utf8")));
