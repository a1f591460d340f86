import { z } from "zod";
import type { Env } from "#server/env.ts";
import { type FaultKind, faultKinds } from "./faults.ts";
import { live } from "./life.ts";
import { focusSchema, planOf } from "./plan.ts";

/** What came of some lives; plain data, so that it can travel between processes. */
export const batchSchema = z.object({
  lives: z.number(),
  fired: z.partialRecord(z.enum(faultKinds), z.number()),
  failures: z.array(z.object({ seed: z.string(), rule: z.string(), what: z.string() })),
});
export type Batch = z.infer<typeof batchSchema>;

/** Lives to live, and what they are to be about. */
export const orderSchema = z.object({ seeds: z.array(z.string()), focus: focusSchema.optional() });
export type Order = z.infer<typeof orderSchema>;

/** Lives the lives of these seeds, one after the other. */
export async function liveAll({ seeds, focus }: Order, template: Buffer, env: Env): Promise<Batch> {
  const batch: Batch = { lives: 0, fired: {}, failures: [] };
  for (const seed of seeds) {
    const { violations, fired } = await live(planOf(seed, focus), template, env, false, true);
    batch.lives += 1;
    for (const [kind, count] of fired) batch.fired[kind] = (batch.fired[kind] ?? 0) + count;
    const first = violations[0];
    if (first !== undefined) batch.failures.push({ seed, rule: first.rule, what: first.what });
  }
  return batch;
}

export function merge(batches: readonly Batch[]): Batch {
  const whole: Batch = { lives: 0, fired: {}, failures: [] };
  for (const batch of batches) {
    whole.lives += batch.lives;
    whole.failures.push(...batch.failures);
    for (const kind of faultKinds)
      if (batch.fired[kind] !== undefined) whole.fired[kind] = (whole.fired[kind] ?? 0) + batch.fired[kind];
  }
  return whole;
}

/** A kind of fault that fired less often than this proves nothing: a hundred times in ten thousand lives. */
export const firingsNeeded = (lives: number): number => Math.ceil(lives / 100);

/** Kinds that fired too rarely, with how often they did. */
export function rareFaults({ lives, fired }: Batch): { kind: FaultKind; count: number }[] {
  return faultKinds
    .map((kind) => ({ kind, count: fired[kind] ?? 0 }))
    .filter(({ count }) => count < firingsNeeded(lives));
}
