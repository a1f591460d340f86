/** One thing that was done to a Spawner, and what was found when all was quiet again. */
export type Story = {
  name: string;
  /** What is broken, a sentence each. */
  violations: string[];
  /** Processes that were ended with SIGKILL. */
  kills: number;
  /** The boundaries at which a worker was ended, where that is what the story does. */
  boundaries: string[];
  /** From the start of a process to the first step that it resumed, ms. */
  resumedMs: number[];
  /** The same where nothing had been killed before, ms. */
  cleanMs: number[];
  /** Why it could not be played here. */
  skipped: string | undefined;
  ms: number;
};

type Told = Partial<Omit<Story, "name" | "ms">>;

/** Plays a story and times it; what it throws is a violation, because a product that is sound gives it no reason. */
export async function tell(name: string, play: () => Promise<Told>): Promise<Story> {
  const began = Date.now();
  const told = await play().catch(
    (error: unknown): Told => ({ violations: [error instanceof Error ? error.message : String(error)] }),
  );
  return {
    name,
    ...{ violations: [], kills: 0, boundaries: [], resumedMs: [], cleanMs: [], skipped: undefined },
    ...told,
    ms: Date.now() - began,
  };
}

/** A number from 0 to 1 by a seed: the same moments for the same seed (mulberry32). */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
