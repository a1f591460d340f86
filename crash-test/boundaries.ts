import { createHash } from "node:crypto";
import { cancelOperation } from "../server/operations/commands.ts";
import type {
  AnyDefinition,
  AnyFacts,
  Step,
  StepContext,
  StepProviders,
} from "../server/operations/definition.ts";
import type { Engine } from "../server/operations/engine.ts";
import { stepsOf } from "../server/operations/outcome.ts";
import { ProviderError } from "../server/providers/errors.ts";
import { appendEntry, type Life, type Plan, readEntries } from "./plan.ts";
import { wait } from "./processes.ts";

/**
 * Where a worker can die between two of its writes, seen from one step:
 *
 * before      the step is claimed, and nothing was asked of the outside
 * intent      what it is about to do is written down, and not done yet
 * after       its first look or call came back, and nothing of it is written
 * committed   that is written
 * after the last look, committed at last   the same of the look that ended a step which looks more than once
 * before stop, after stop, committed stop  Cancel, which stops what the step has left running outside
 */
export type Moment =
  | "before"
  | "intent"
  | "after"
  | "committed"
  | "after the last look"
  | "committed at last"
  | "before stop"
  | "after stop"
  | "committed stop";

/** Wraps an engine's operations from outside, so that this process ends itself at each chosen boundary, once ever. */
export function watchBoundaries<Watched extends Engine>(
  engine: Watched,
  { plan, folder, worker }: { plan: Plan; folder: string; worker: string },
): Watched {
  const behind = boundariesBehind(folder);
  const note = (what: "kill" | "pass" | "run", boundary: string) =>
    appendEntry(folder, { what, boundary, worker, at: Date.now() });

  function reach(boundary: string): void {
    if (behind.has(boundary)) return;
    behind.add(boundary);
    const isOurs = isChosen(plan, boundary);
    // Another worker may have come to it in the meantime.
    if (isOurs && boundariesBehind(folder).has(boundary)) return;
    note(isOurs ? "kill" : "pass", boundary);
    if (!isOurs) return;
    process.kill(process.pid, plan.signal);
    // The signal may need a moment to reach this thread, in which nothing more may happen.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }

  /** What is written when the engine next tells the queue about an operation. */
  const uncommitted = new Map<string, { operationId: string; step: string; boundaries: string[] }>();
  function reachCommitted(operationId: string): void {
    for (const [key, { step, boundaries, ...pending }] of uncommitted) {
      if (pending.operationId !== operationId) continue;
      const row = stepsOf(engine.db, operationId).find(({ name }) => name === step);
      if (row?.claimedBy !== null) continue;
      uncommitted.delete(key);
      for (const boundary of boundaries) reach(boundary);
    }
  }

  const began = (operationId: string, step: string): void => note("run", `${operationId} ${step}`);

  function watch(kind: string, step: Step<AnyFacts>): Step<AnyFacts> {
    const boundaryOf =
      (life: Life, { round }: { round: number }) =>
      (moment: Moment) =>
        `${kind} | ${life.path}${round > 0 ? ", retried" : ""} | ${step.name} | ${moment}`;

    async function run(context: StepContext<AnyFacts>) {
      const { id, round } = context.operation;
      const life = plan.lives[id];
      began(id, step.name);
      if (life === undefined) return step.run(context);
      const at = boundaryOf(life, context.operation);
      reach(at("before"));
      const outcome = await step.run({
        ...context,
        ...(plan.signal === "SIGSTOP" ? { providers: slowToCall(context.providers) } : {}),
        remember(facts) {
          context.remember(facts);
          reach(at("intent"));
        },
      });
      if (life.cancelAt === step.name && round === 0) cancelOperation(engine, id, "joe@intranet.localhost");
      if (life.failAt === step.name && round === 0 && outcome.done)
        throw new ProviderError({ sentence: "The other side refuses.", detail: "422", retryable: false });
      const isFirst = !behind.has(at("after"));
      reach(at("after"));
      // A step that is done at its first look has no other one.
      if (outcome.done && isFirst) behind.add(at("after the last look")).add(at("committed at last"));
      if (outcome.done) reach(at("after the last look"));
      const boundaries = [at("committed"), ...(outcome.done ? [at("committed at last")] : [])];
      uncommitted.set(`${id} ${step.name}`, { operationId: id, step: step.name, boundaries });
      return outcome;
    }

    async function stop(context: StepContext<AnyFacts>) {
      const { id } = context.operation;
      const life = plan.lives[id];
      began(id, step.name);
      if (life === undefined) return step.stop?.(context);
      const at = boundaryOf(life, context.operation);
      reach(at("before stop"));
      await step.stop?.(context);
      reach(at("after stop"));
      uncommitted.set(`${id} ${step.name}`, {
        operationId: id,
        step: step.name,
        boundaries: [at("committed stop")],
      });
    }

    return { ...step, run, stop: step.stop === undefined ? undefined : stop };
  }

  const wrapped = (definition: AnyDefinition): AnyDefinition => {
    const each = (step: Step<AnyFacts>) => watch(definition.kind, step);
    return {
      ...definition,
      steps: definition.steps.map((entry) =>
        "branches" in entry ? { branches: entry.branches.map((branch) => branch.map(each)) } : each(entry),
      ),
      undo: definition.undo.map(each),
      ...(definition.rescue === undefined
        ? {}
        : { rescue: { ...definition.rescue, steps: definition.rescue.steps.map(each) } }),
    };
  };
  return {
    ...engine,
    catalogue: mapValues(engine.catalogue, wrapped),
    wake(operationId: string) {
      reachCommitted(operationId);
      engine.wake(operationId);
    },
  };
}

function mapValues<Key extends string, Value>(
  record: Readonly<Record<Key, Value>>,
  change: (value: Value) => Value,
): Record<Key, Value> {
  const changed: Record<Key, Value> = { ...record };
  for (const key in record) changed[key] = change(record[key]);
  return changed;
}

/**
 * A process that goes on after a stop learns first which of its connections are dead, and then calls. Otherwise its
 * request would be lost with such a connection now and then, and what it should never have sent would not be seen.
 */
function slowToCall(providers: StepProviders): StepProviders {
  const digitalocean = new Proxy(providers.digitalocean, {
    get(target, name) {
      const method: unknown = Reflect.get(target, name);
      if (typeof method !== "function") return method;
      return async (...args: unknown[]) => {
        await wait(20);
        return Reflect.apply(method, target, args);
      };
    },
  });
  return { ...providers, digitalocean };
}

const boundariesBehind = (folder: string): Set<string> =>
  new Set(
    readEntries(folder)
      .filter(({ what }) => what !== "run")
      .map(({ boundary }) => boundary),
  );

/** The same boundaries for the same seed, whichever of them a run comes to. */
function isChosen({ seed, share, at, isQuick }: Plan, boundary: string): boolean {
  if (at !== undefined) return boundary === at;
  if (isQuick && boundary.endsWith(" | intent")) return false;
  const digest = createHash("sha256").update(`${seed} ${boundary}`).digest();
  return digest.readUInt32BE(0) < share * 2 ** 32;
}
