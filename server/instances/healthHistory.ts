import { desc, eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { type InstanceStatus, operations } from "#db/schema.ts";
import { readSetting, writeSetting } from "#db/settings.ts";
import type { HealthView, HourView } from "#server/api/views.ts";
import { hourMs, hourOf, hoursSince, missesAllowed } from "./healthHours.ts";

/** When the newest round of looks at all instances began. */
export type Round = { at: number };

const roundName = "health-round";
const roundSchema = z.object({ at: z.number() });

/** One row for all instances: with one row each, an installation at rest would write them all twice a minute. */
export const noteRound = (tx: Pick<Tx, "insert">, round: Round): void => writeSetting(tx, roundName, round);
export const lastRound = (tx: Pick<Tx, "select">): Round | undefined =>
  readSetting(tx, roundName, roundSchema);

type Answering = {
  id: string;
  status: InstanceStatus;
  answeredAt: number | null;
  silentSince: number | null;
};
type Times = { createdAt: number; endedAt: number | null };

/**
 * When the instance last answered, as far as that is known. Its row says when it last began to: since then it has
 * answered in every round, the newest included, because the first answer it owes is written down at once
 * (`silentSince`). Only an operation keeps it from being asked: of one that was live during the newest round, or came
 * after it, nothing is said until the next round, unless the operation itself saw it answer.
 */
export function lastAnswerOf(
  row: Answering,
  newest: Times | null | undefined,
  round: Round | undefined,
): number | null {
  const { status, answeredAt, silentSince } = row;
  if (answeredAt === null || status !== "running" || silentSince !== null || round === undefined)
    return answeredAt;
  if (newest === null || newest === undefined || (newest.endedAt !== null && newest.endedAt < round.at))
    return Math.max(answeredAt, round.at);
  return answeredAt >= newest.createdAt ? answeredAt : null;
}

const newestOperation = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ createdAt: operations.createdAt, endedAt: operations.endedAt })
    .from(operations)
    .where(eq(operations.instanceId, given("instanceId")))
    .orderBy(desc(operations.sequence))
    .limit(1)
    .prepare(),
);

/** The same, of an instance whose newest operation isn't at hand. */
export const lastAnswer = (tx: Pick<Tx, "select">, row: Answering, round: Round | undefined): number | null =>
  lastAnswerOf(row, newestOperation(tx).get({ instanceId: row.id }), round);

const hoursShown = 24;

/** How an instance answered in the last 24 hours, the present one included: one indexed read. */
export function lastDay(tx: Tx, row: Answering, now: number): HealthView {
  const from = hourOf(now) - (hoursShown - 1) * hourMs;
  const known = new Map(hoursSince(tx, row.id, from).map((one) => [one.hour, one]));
  const answeredAt = lastAnswer(tx, row, lastRound(tx));
  const hours = Array.from({ length: hoursShown }, (_, index): HourView => {
    const hour = from + index * hourMs;
    const counted = known.get(hour);
    if (counted !== undefined) return { hour, state: stateOf(counted), medianMs: counted.medianMs };
    // An hour has its row once it is over; of this one is known that the instance answers.
    const answers = answeredAt !== null && hourOf(answeredAt) === hour;
    return { hour, state: answers ? "up" : "unknown", medianMs: null };
  });
  return { answeredAt, hours };
}

function stateOf({ up, slow, down }: { up: number; slow: number; down: number }): HourView["state"] {
  if (down > missesAllowed || up + slow === 0) return "down";
  return slow >= up ? "slow" : "up";
}
