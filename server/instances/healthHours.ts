import { and, eq, gte, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared, setTo } from "#db/prepared.ts";
import { type Histogram, healthHours } from "#db/schema.ts";
import type { Answer } from "#server/providers/probe.ts";

export const hourMs = 3_600_000;
export const hourOf = (at: number): number => at - (at % hourMs);

/** One missed answer is a hiccup; an instance is called unreachable after more looks in a row than these. */
export const missesAllowed = 2;
/** An answer that takes longer is slow: a visitor notices. */
const slowMs = 1000;

/** What is known of one hour of an instance and not written down yet. */
export type HourSoFar = { hour: number; up: number; slow: number; down: number; histogram: Histogram };

export const noAnswers = (hour: number): HourSoFar => ({ hour, up: 0, slow: 0, down: 0, histogram: {} });

export function count(sofar: HourSoFar, answer: Pick<Answer, "ok" | "ms">): void {
  if (!answer.ok) {
    sofar.down += 1;
    return;
  }
  if (answer.ms > slowMs) sofar.slow += 1;
  else sofar.up += 1;
  const bin = binOf(answer.ms);
  sofar.histogram[bin] = (sofar.histogram[bin] ?? 0) + 1;
}

/**
 * Bins of a histogram, sixteen for each doubling: the median is right to within 2.2 % and a millisecond,
 * however many answers there were. Unlike a list of answer times it takes no more memory with more answers (at most 200
 * bins between 1 ms and the probe's 5 s; in practice a few), and unlike a median alone, two parts of an hour can be
 * added up: what a worker wrote when it stopped, and what its successor has seen.
 */
const binsPerDoubling = 16;
const binOf = (ms: number): number => Math.round(Math.log2(Math.max(1, ms)) * binsPerDoubling);
const msOf = (bin: number): number => Math.round(2 ** (bin / binsPerDoubling));

export function medianOf(histogram: Histogram): number | null {
  const bins = Object.entries(histogram).sort(([one], [other]) => Number(one) - Number(other));
  const total = bins.reduce((sum, [, times]) => sum + times, 0);
  let counted = 0;
  for (const [bin, times] of bins) {
    counted += times;
    if (counted * 2 >= total) return msOf(Number(bin));
  }
  return null;
}

const queries = prepared((tx: Pick<Tx, "select" | "insert">) => ({
  known: tx
    .select()
    .from(healthHours)
    .where(and(eq(healthHours.instanceId, given("instanceId")), eq(healthHours.hour, given("hour"))))
    .prepare(),
  put: tx
    .insert(healthHours)
    .values({
      instanceId: given("instanceId"),
      hour: given("hour"),
      up: given("up"),
      slow: given("slow"),
      down: given("down"),
      medianMs: given("medianMs"),
      histogram: given("histogram"),
    })
    .onConflictDoUpdate({
      target: [healthHours.instanceId, healthHours.hour],
      set: {
        up: setTo("up"),
        slow: setTo("slow"),
        down: setTo("down"),
        medianMs: setTo("medianMs"),
        histogram: sql`excluded.histogram`,
      },
    })
    .prepare(),
  since: tx
    .select()
    .from(healthHours)
    .where(and(eq(healthHours.instanceId, given("instanceId")), gte(healthHours.hour, given("from"))))
    .prepare(),
}));

/** Adds to the hour's row what was counted since it was last written. */
export function addToHour(tx: Tx, instanceId: string, sofar: HourSoFar): void {
  const { known, put } = queries(tx);
  const before = known.get({ instanceId, hour: sofar.hour }) ?? noAnswers(sofar.hour);
  const histogram = { ...before.histogram };
  for (const [bin, times] of Object.entries(sofar.histogram)) histogram[bin] = (histogram[bin] ?? 0) + times;
  put.run({
    ...{ instanceId, hour: sofar.hour, histogram, medianMs: medianOf(histogram) },
    ...{ up: before.up + sofar.up, slow: before.slow + sofar.slow, down: before.down + sofar.down },
  });
}

/** The hours of an instance that began at `from` or later and in which it was asked. */
export const hoursSince = (tx: Pick<Tx, "select" | "insert">, instanceId: string, from: number) =>
  queries(tx).since.all({ instanceId, from });
