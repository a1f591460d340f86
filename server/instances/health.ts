import { eq, inArray } from "drizzle-orm";
import pLimit from "p-limit";
import { type Tx, write } from "#db/client.ts";
import { given, prepared, setTo } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import type { Instance } from "#server/operations/engine/define.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import type { Answer } from "#server/providers/probe.ts";
import { repeat } from "#server/repeat.ts";
import { report } from "#server/report.ts";
import { underLease } from "#server/underLease.ts";
import { lastAnswer, lastRound, noteRound } from "./healthHistory.ts";
import { addToHour, count, type HourSoFar, hourOf, missesAllowed, noAnswers } from "./healthHours.ts";

const everyMs = 30_000;
const probesAtOnce = 50;

/**
 * What a worker remembers between rounds: of each instance the answers it owes in a row, and what was counted in the
 * hour that is not over. A crash loses that, so that at most one hour's row counts less than was asked.
 */
export type HealthMemory = {
  misses: Map<string, number>;
  hours: Map<string, HourSoFar>;
  /** Hours that are over and could not be written down yet. */
  over: [instanceId: string, hour: HourSoFar][];
};
export const newHealthMemory = (): HealthMemory => ({ misses: new Map(), hours: new Map(), over: [] });

/**
 * Requests every running instance's own URL at intervals, and records when one falls silent or answers again. One worker
 * at a time does this, until it stops or loses its lease; another takes over within {@link everyMs}. `stop` resolves once
 * the counts are saved and the lease is released.
 */
export function watchHealth(engine: Engine): { stop: () => Promise<void> } {
  const memory = newHealthMemory();
  const stopped = new AbortController();
  let watching: Promise<void> = Promise.resolve();
  const attempts = repeat(engine, everyMs, "could not check the instances", () => {
    watching = underLease(engine, "health", (lost) =>
      watchUntil(engine, memory, AbortSignal.any([lost, stopped.signal])),
    );
    return watching;
  });
  return {
    async stop() {
      attempts.stop();
      stopped.abort();
      // A failure has already been reported.
      await watching.catch(() => {});
    },
  };
}

/** Runs rounds until `ended` aborts. */
async function watchUntil(engine: Engine, memory: HealthMemory, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    try {
      await lookAtAll(engine, memory, ended);
    } catch (error) {
      report("could not check the instances", error);
    }
    await engine.wait(everyMs, ended).catch(() => {});
  }
  // The next lease holder counts for itself.
  memory.misses.clear();
  try {
    writeHours(engine, memory);
  } catch (error) {
    report("could not count the last answers", error);
  }
}

const queries = prepared((tx: Pick<Tx, "select" | "update">) => {
  const isThis = eq(instances.id, given("id"));
  return {
    answering: tx
      .select()
      .from(instances)
      .where(inArray(instances.status, ["running", "unreachable"]))
      .prepare(),
    instance: tx.select().from(instances).where(isThis).prepare(),
    noteAnswer: tx
      .update(instances)
      .set({ status: "running", answeredAt: setTo("at"), answeredInMs: setTo("ms"), silentSince: null })
      .where(isThis)
      .prepare(),
    noteSilence: tx
      .update(instances)
      .set({ status: setTo("status"), answeredAt: setTo("answeredAt"), silentSince: setTo("since") })
      .where(isThis)
      .prepare(),
  };
});

/**
 * Checks all instances that should answer, once. Nothing is written for an instance whose state hasn't changed: one row
 * says that all of them answered in this round (see noteRound), and each gets one row an hour with its counts. A round that
 * the signal cuts short writes nothing.
 */
export async function lookAtAll(engine: Engine, memory: HealthMemory, signal?: AbortSignal): Promise<void> {
  const { misses, hours } = memory;
  const began = engine.now();
  const rows = queries(engine.db).answering.all();
  const answers = new Map<string, Answer>();
  const options = signal === undefined ? {} : { signal };
  await pLimit(probesAtOnce).map(rows, async (row) => {
    if (signal?.aborted === true) return;
    answers.set(row.id, await engine.providers.probe.answer(engine.urlOf(row), options));
  });
  if (signal?.aborted === true) return;
  for (const id of misses.keys()) if (answers.get(id)?.ok !== false) misses.delete(id);
  for (const [id, answer] of answers) if (!answer.ok) misses.set(id, (misses.get(id) ?? 0) + 1);
  const now = engine.now();
  for (const [id, sofar] of hours)
    if (sofar.hour !== hourOf(now)) {
      hours.delete(id);
      memory.over.push([id, sofar]);
    }
  const written = write(engine.db, (tx) => {
    for (const [id, sofar] of memory.over) addToHour(tx, id, sofar);
    const changed: string[] = [];
    for (const row of rows) {
      const { id } = row;
      const answer = answers.get(id);
      if (answer === undefined) continue;
      const news = noteAnswer(tx, now, row, answer, misses.get(id) ?? 0);
      if (news === "not ours") {
        misses.delete(id);
        continue;
      }
      const sofar = hours.get(id) ?? noAnswers(hourOf(now));
      hours.set(id, sofar);
      count(sofar, answer);
      if (news !== "status") continue;
      addToHour(tx, id, sofar);
      changed.push(id);
    }
    noteRound(tx, { at: began });
    return changed;
  });
  memory.over = [];
  for (const id of written) hours.delete(id);
}

/** Writes down what was counted so far. */
function writeHours({ db }: Engine, memory: HealthMemory): void {
  write(db, (tx) => {
    for (const [id, sofar] of [...memory.over, ...memory.hours]) addToHour(tx, id, sofar);
  });
  memory.over = [];
  memory.hours.clear();
}

/**
 * Records how an instance answered, if that has changed. Falling silent and answering again are events. `asked`: its row
 * when the round began.
 */
function noteAnswer(
  tx: Tx,
  now: number,
  asked: Instance,
  answer: Answer,
  missed: number,
): "not ours" | "no news" | "news" | "status" {
  const { id } = asked;
  const ask = queries(tx);
  const current = ask.instance.get({ id });
  // Whatever has begun, or seen it answer, since then knows better.
  if (current?.status !== asked.status || current.answeredAt !== asked.answeredAt) return "not ours";
  const status = answer.ok ? "running" : missed > missesAllowed ? "unreachable" : current.status;
  const isNews =
    status !== current.status ||
    (answer.ok ? current.silentSince !== null || current.answeredAt === null : current.silentSince === null);
  if (!isNews) return "no news";
  if (answer.ok) ask.noteAnswer.run({ id, at: now, ms: answer.ms });
  else {
    // Null would say that it never has.
    const answeredAt = lastAnswer(tx, current, lastRound(tx)) ?? current.answeredAt;
    ask.noteSilence.run({ id, status, answeredAt, since: current.silentSince ?? now });
  }
  // A first answer needs no event: the round reports it.
  if (status !== current.status || !answer.ok || current.silentSince !== null)
    appendEvent(tx, { at: now, kind: "instance", instanceId: id, data: { status } });
  return status === current.status ? "news" : "status";
}
