import { eq, inArray } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { given, prepared, setTo } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import type { Answer } from "#server/providers/probe.ts";
import { repeat } from "#server/repeat.ts";

const everyMs = 30_000;
/** One missed answer is a hiccup; an instance is called unreachable after this many looks in a row. */
const missesAllowed = 2;
const probesAtOnce = 50;

/** Looks at every running instance's own URL now and then, and says when one falls silent or answers again. */
export function watchHealth(engine: Engine): { stop: () => void } {
  const misses = new Map<string, number>();
  return repeat(engine, everyMs, "the instances could not be looked at", () => lookAtAll(engine, misses));
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
      .set({ status: setTo("status"), silentSince: setTo("since") })
      .where(isThis)
      .prepare(),
  };
});

/** One look at all instances that should answer. `misses` counts, from look to look, the answers each owes in a row. */
export async function lookAtAll(engine: Engine, misses: Map<string, number>): Promise<void> {
  const rows = queries(engine.db).answering.all();
  const answers = new Map<string, Answer>();
  const waiting = rows.values();
  const askOn = async () => {
    for (const row of waiting) answers.set(row.id, await engine.providers.probe.answer(engine.urlOf(row)));
  };
  await Promise.all(Array.from({ length: probesAtOnce }, askOn));
  for (const id of misses.keys()) if (answers.get(id)?.ok !== false) misses.delete(id);
  for (const [id, answer] of answers) if (!answer.ok) misses.set(id, (misses.get(id) ?? 0) + 1);
  write(engine.db, (tx) => {
    for (const [id, answer] of answers) noteAnswer(tx, engine.now(), id, answer, misses.get(id) ?? 0);
  });
}

/** Writes down how an instance answered. Only a change of its status is an event that pages hear of. */
function noteAnswer(tx: Tx, now: number, id: string, answer: Answer, missed: number): void {
  const ask = queries(tx);
  const current = ask.instance.get({ id });
  // Whatever began meanwhile knows better.
  if (current === undefined || (current.status !== "running" && current.status !== "unreachable")) return;
  const status = answer.ok ? "running" : missed > missesAllowed ? "unreachable" : current.status;
  if (answer.ok) ask.noteAnswer.run({ id, at: now, ms: answer.ms });
  else ask.noteSilence.run({ id, status, since: current.silentSince ?? now });
  if (status !== current.status)
    appendEvent(tx, { at: now, kind: "instance", instanceId: id, data: { status } });
}
