import { and, desc, eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { operations, steps } from "#db/schema.ts";
import { type Claim, claimStep, waitingForSlot } from "./claim.ts";
import { type AnyFacts, type Step, type StepContext, stepTimeoutMs, type Variable } from "./define.ts";
import { percentile } from "./durations.ts";
import type { Engine } from "./engine.ts";
import { guardProviders } from "./guard.ts";
import { assertMayAct, CutShort, keepLease, StaleClaim } from "./lease.ts";
import { lookNow } from "./lookNow.ts";
import {
  commitCutShort,
  commitFault,
  commitOutcome,
  commitStopFault,
  commitStopped,
  elapsedOf,
  rememberFacts,
} from "./outcome.ts";
import { stepsByName } from "./plan.ts";
import { preparedQueries } from "./preparedQueries.ts";

/**
 * One wake-up: takes the next due step of the operation, runs it (or looks at it) once, commits what came of it and
 * leaves the next wake-up behind. Never throws for what a step does: failures are facts on its row.
 */
export async function advance(engine: Engine, operationId: string): Promise<void> {
  const claim = claimStep(engine, operationId);
  engine.wake(operationId);
  if (claim === undefined) return;
  const step = stepsByName(engine.registry[claim.operation.kind]).get(claim.step.name);
  if (step === undefined) {
    commitFault(
      engine,
      claim,
      orphanedStep(claim),
      new Error("This version of the Spawner doesn't know this step."),
      () => [],
    );
  } else {
    await runClaimed(engine, claim, step);
  }
  engine.wake(operationId);
  if (step?.slot !== undefined) for (const waiting of waitingForSlot(engine, step.slot)) engine.wake(waiting);
}

async function runClaimed(engine: Engine, claim: Claim, step: Step<AnyFacts>): Promise<void> {
  const abort = new AbortController();
  const running = { step: claim.step, abortable: step.abortable && claim.errand === "run", abort };
  engine.worker.running.add(running);
  keepLease(engine);
  const cancelTimeout = engine.after(step.timeoutMs, () =>
    abort.abort(new Error(`"${step.label}" didn't finish within ${step.timeoutMs / 1000} s.`)),
  );
  const opened = new Map<number, Variable[]>();
  const variablesOf = (set: number): Variable[] => {
    const known = opened.get(set) ?? engine.openVariables(claim.instance, set);
    opened.set(set, known);
    return known;
  };
  // What cannot be opened was given to nobody.
  const secretsOf = (set: number): string[] => {
    try {
      return variablesOf(set).flatMap((one) => (one.secret ? [one.value] : []));
    } catch {
      return [];
    }
  };
  const secrets = () => setsOf(claim).flatMap(secretsOf);
  try {
    const context = contextOf(engine, claim, { variablesOf, secrets }, abort.signal);
    if (claim.errand === "stop") {
      if (step.stop !== undefined) await orAborted(engine, step.stop(context), abort.signal);
      commitStopped(engine, claim);
    } else {
      commitOutcome(engine, claim, step, await orAborted(engine, step.run(context), abort.signal), secrets);
    }
  } catch (error) {
    if (error instanceof StaleClaim) return;
    if (error instanceof CutShort) commitCutShort(engine, claim);
    else if (claim.errand === "stop") commitStopFault(engine, claim, error, secrets);
    else commitFault(engine, claim, step, error, secrets);
  } finally {
    cancelTimeout();
    engine.worker.running.delete(running);
  }
}

/** How long an aborted step may take to come to its end, before it is left to itself. */
const graceMs = 5000;

/**
 * What came of the work, or why it was aborted. It is given a moment to hear its signal, so that what follows does not
 * run beside it; one that ignores its signal must not hold a worker's slot for ever.
 */
async function orAborted<Value>(
  { after }: Engine,
  work: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  let cancelGrace = (): void => {};
  const left = new Promise<never>((_resolve, reject) => {
    signal.addEventListener(
      "abort",
      () => {
        if (signal.reason instanceof StaleClaim) reject(signal.reason);
        else cancelGrace = after(graceMs, () => reject(signal.reason));
      },
      { once: true },
    );
  });
  try {
    return await Promise.race([work, left]);
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    cancelGrace();
  }
}

const setFacts = z.object({ variableSet: z.number(), previousSet: z.number() }).partial();

/** The sets of variables an operation has to do with: the one it brings into effect comes first. */
function setsOf({ operation, instance }: Claim): number[] {
  const { variableSet, previousSet } = setFacts.parse(operation.facts);
  return [variableSet, previousSet, instance.variableSet].filter((set) => set !== undefined);
}

function contextOf(
  engine: Engine,
  claim: Claim,
  { variablesOf, secrets }: Pick<StepContext<AnyFacts>, "variablesOf" | "secrets">,
  signal: AbortSignal,
): StepContext<AnyFacts> {
  const { operation, instance, step } = claim;
  const facts = engine.registry[operation.kind].facts.parse(operation.facts);
  return {
    operation: {
      id: operation.id,
      round: operation.round,
      createdAt: operation.createdAt,
      statusBefore: operation.statusBefore,
    },
    instance,
    get aliases() {
      return preparedQueries(engine.db).aliases(instance.id);
    },
    step: step.name,
    facts,
    get variables() {
      return variablesOf(setsOf(claim)[0] ?? instance.variableSet);
    },
    variablesOf,
    secrets,
    url: engine.urlOf(instance),
    urlOf: engine.urlOf,
    site: engine.site,
    providers: guardProviders(engine.providers, { signal, mayAct: () => assertMayAct(engine, step) }),
    signal,
    now: engine.now,
    monotonic: engine.monotonic,
    elapsed: () => elapsedOf(engine, step),
    // A look into history that few steps need.
    get usuallyAtLeastMs() {
      return usuallyAtLeast(engine, claim);
    },
    lookNow: () => lookNow(engine, claim),
    remember: (more) => {
      rememberFacts(engine, claim, more);
      Object.assign(facts, more);
    },
  };
}

/** With fewer runs than this, nothing can be said about what is usual. */
const historyNeeded = 3;

const lastRuns = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ startedAt: steps.startedAt, endedAt: steps.endedAt })
    .from(steps)
    .innerJoin(operations, eq(operations.id, steps.operationId))
    .where(and(eq(steps.name, given("name")), eq(steps.state, "done"), eq(operations.kind, given("kind"))))
    .orderBy(desc(steps.endedAt))
    .limit(20)
    .prepare(),
);

function usuallyAtLeast({ db }: Engine, { operation, step }: Claim): number | undefined {
  const runs = lastRuns(db).all({ name: step.name, kind: operation.kind });
  const durations = runs.map((run) => (run.endedAt ?? 0) - (run.startedAt ?? 0));
  return durations.length < historyNeeded ? undefined : percentile(durations, 0.1);
}

function orphanedStep({ step }: Claim): Step<AnyFacts> {
  return {
    name: step.name,
    label: step.label,
    run: () => Promise.reject(new Error("unknown step")),
    tries: 1,
    everyMs: 1000,
    giveUp: undefined,
    timeoutMs: stepTimeoutMs,
    final: false,
    slot: undefined,
    abortable: false,
    stop: undefined,
  };
}
