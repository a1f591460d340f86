import { createHash } from "node:crypto";
import { cancelOperation } from "#server/operations/cancelAndRetry.ts";
import type {
  AnyDefinition,
  AnyFacts,
  Step,
  StepContext,
  StepProviders,
} from "#server/operations/engine/define.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { stepsOf } from "#server/operations/engine/outcome.ts";
import { ProviderError } from "#server/providers/errors.ts";
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
type Moment =
  | "before"
  | "intent"
  | "after"
  | "committed"
  | "after the last look"
  | "committed at last"
  | "before stop"
  | "after stop"
  | "committed stop";

/** How long other operations may take to come to a boundary of their own, once one of them waits for the end. */
const gatherMs = 5000;
/** What is to come in this time has come: no step runs apart from those that stand at a boundary. */
const quietMs = 300;

/**
 * Wraps an engine's operations from outside, so that this process ends itself at each chosen boundary, once ever. An
 * operation that has come to one stays there until the others stand at a boundary too, so that one death hits all of
 * them.
 */
export function watchBoundaries<Watched extends Engine>(
  engine: Watched,
  { plan, folder, worker }: { plan: Plan; folder: string; worker: string },
): Watched {
  const behind = boundariesBehind(folder);
  const note = (what: "kill" | "pass" | "run", boundary: string) =>
    appendEntry(folder, { what, boundary, worker, at: Date.now() });

  /** Boundaries at which operations stand until the end. */
  const reached: string[] = [];
  /** Steps that run, apart from those. */
  let running = 0;

  /** Whether this is where to end; each boundary is asked for once. */
  function isEnd(boundary: string): boolean {
    if (behind.has(boundary)) return false;
    behind.add(boundary);
    const isOurs = isChosen(plan, boundary);
    // Another worker may have come to it in the meantime.
    if (isOurs && boundariesBehind(folder).has(boundary)) return false;
    if (!isOurs) note("pass", boundary);
    return isOurs;
  }

  function end(): void {
    for (const boundary of reached.splice(0)) note("kill", boundary);
    process.kill(process.pid, plan.signal);
    // The signal may need a moment to reach this thread, in which nothing more may happen.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }

  function endSoon(boundary: string): void {
    reached.push(boundary);
    if (plan.at !== undefined) end();
    else if (reached.length === 1) gather();
  }

  function gather(): void {
    const since = Date.now();
    let busyAt = since;
    setInterval(() => {
      const now = Date.now();
      if (running > 0) busyAt = now;
      if (now - busyAt >= quietMs || now - since >= gatherMs) end();
    }, 20);
  }

  /** Stays there until the end where that is near; others go on until they come to a boundary of their own. */
  async function stayAt(boundary: string): Promise<void> {
    if (!isEnd(boundary)) return;
    running -= 1;
    endSoon(boundary);
    // A process that was only stopped goes on.
    if (plan.signal === "SIGKILL") await never;
    running += 1;
  }

  /** Operations that stand where something has just been written. */
  const committed = new Set<string>();
  /** What is written when the engine next tells the queue about an operation. */
  const uncommitted = new Map<string, { operationId: string; step: string; boundaries: string[] }>();
  function reachCommitted(operationId: string): void {
    for (const [key, { step, boundaries, ...pending }] of uncommitted) {
      if (pending.operationId !== operationId) continue;
      const row = stepsOf(engine.db, operationId).find(({ name }) => name === step);
      if (row?.claimedBy !== null) continue;
      uncommitted.delete(key);
      for (const boundary of boundaries.filter(isEnd)) {
        committed.add(operationId);
        endSoon(boundary);
      }
    }
  }

  const began = (operationId: string, step: string): void => note("run", `${operationId} ${step}`);

  function watch(kind: string, step: Step<AnyFacts>): Step<AnyFacts> {
    const boundaryOf =
      (life: Life, { round }: { round: number }) =>
      (moment: Moment) =>
        `${kind} | ${life.path}${round > 0 ? ", retried" : ""} | ${step.name} | ${moment}`;

    async function run(context: StepContext<AnyFacts>) {
      running += 1;
      try {
        return await runWatched(context);
      } finally {
        running -= 1;
      }
    }

    async function runWatched(context: StepContext<AnyFacts>) {
      const { id, round } = context.operation;
      const life = plan.lives[id];
      began(id, step.name);
      if (life === undefined) return step.run(context);
      const at = boundaryOf(life, context.operation);
      await stayAt(at("before"));
      let isHeld = false;
      const { providers } = context;
      const outcome = await step.run({
        ...context,
        providers:
          plan.signal === "SIGSTOP"
            ? beforeEachCall(providers, () => wait(20))
            : beforeEachCall(providers, () => (isHeld ? never : undefined)),
        remember(facts) {
          context.remember(facts);
          if (!isEnd(at("intent"))) return;
          isHeld = plan.signal === "SIGKILL";
          if (isHeld) running -= 1;
          endSoon(at("intent"));
        },
      });
      if (isHeld) await never;
      if (life.cancelAt === step.name && round === 0) cancelOperation(engine, id, "joe@intranet.localhost");
      if (life.failAt === step.name && round === 0 && outcome.done)
        throw new ProviderError({ userMessage: "The other side refuses.", detail: "422", retryable: false });
      const isFirst = !behind.has(at("after"));
      await stayAt(at("after"));
      // A step that is done at its first look has no other one.
      if (outcome.done && isFirst) behind.add(at("after the last look")).add(at("committed at last"));
      if (outcome.done) await stayAt(at("after the last look"));
      const boundaries = [at("committed"), ...(outcome.done ? [at("committed at last")] : [])];
      uncommitted.set(`${id} ${step.name}`, { operationId: id, step: step.name, boundaries });
      return outcome;
    }

    async function stop(context: StepContext<AnyFacts>) {
      running += 1;
      try {
        await stopWatched(context);
      } finally {
        running -= 1;
      }
    }

    async function stopWatched(context: StepContext<AnyFacts>) {
      const { id } = context.operation;
      const life = plan.lives[id];
      began(id, step.name);
      if (life === undefined) return step.stop?.(context);
      const at = boundaryOf(life, context.operation);
      await stayAt(at("before stop"));
      await step.stop?.(context);
      await stayAt(at("after stop"));
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
    registry: mapValues(engine.registry, wrapped),
    wake(operationId: string) {
      reachCommitted(operationId);
      // What has been written there stays as it is until the end.
      if (!committed.has(operationId)) engine.wake(operationId);
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

const never = new Promise<never>(() => {});

/**
 * The same providers; what `first` returns is waited for before anything is asked of them: for ever, when a step is
 * held between its intent and its call; a moment, when a process goes on after a stop. That learns first which of its
 * connections are dead: otherwise its request would be lost with such a connection now and then, and what it should
 * never have sent would not be seen.
 */
function beforeEachCall(providers: StepProviders, first: () => Promise<void> | undefined): StepProviders {
  return new Proxy(providers, {
    get(all, name) {
      const provider: unknown = Reflect.get(all, name);
      if (typeof provider === "function") return afterwards(provider, all);
      if (typeof provider !== "object" || provider === null) return provider;
      return new Proxy(provider, {
        get(target, member) {
          const method: unknown = Reflect.get(target, member);
          // This one answers at once, and changes nothing.
          return typeof method === "function" && member !== "onNews" ? afterwards(method, target) : method;
        },
      });
    },
  });

  function afterwards(method: object, self: object) {
    return async (...args: unknown[]) => {
      await first();
      return typeof method === "function" ? Reflect.apply(method, self, args) : undefined;
    };
  }
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
