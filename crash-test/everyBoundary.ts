import { readFileSync, writeFileSync } from "node:fs";
import type { OperationKind } from "#db/schema.ts";
import { retryOperation } from "#server/operations/cancelAndRetry.ts";
import { type AnyDefinition, isPlannedFor, plannedSteps } from "#server/operations/engine/define.ts";
import { leaseMs } from "#server/operations/engine/lease.ts";
import { stepsByName } from "#server/operations/engine/plan.ts";
import { registry } from "#server/operations/registry.ts";
import { begin, insertInstance } from "#server/operations/testing/testEngine.ts";
import { startOf } from "#server/operations/testing/testStarts.ts";
import { type Entry, type Life, readEntries, writePlan } from "./plan.ts";
import { type Running, signal, wait } from "./processes.ts";
import { type Story, tell } from "./story.ts";
import {
  createWorld,
  instanceOf,
  lastWords,
  operationOf,
  play,
  postsOf,
  type World,
  whereIs,
} from "./world.ts";

/** How long nothing may come to an end or to another boundary: each death is a step on, however slow the machine is. */
const withinMs = 4 * 60_000;
/** How long a call whose end nobody saw is waited for, and a little more. */
const unclearMs = 85_000;

export type BoundaryOptions = {
  postgresUrl: string;
  seed: number;
  /** Which part of all boundaries is chosen, 0 < share ≤ 1. */
  share: number;
  /** Leaves out the boundaries after which a worker has to wait for up to a minute. */
  isQuick?: boolean;
  /** Waits for the lease of the one that died, as it is in production, instead of setting the clock ahead. */
  isTimed?: boolean;
};

/** One operation of a kind, and what becomes of it. */
export type Planned = { kind: OperationKind; life: Life };

/**
 * Operations in several lives at once, such as one kind's to its end, cancelled, and failed for good. One worker serves
 * them all. It dies at the first chosen boundary it comes to that it has not died at before, together with what else
 * stands at one, is started again, and so on until none is left.
 */
export const killAtBoundaries = (
  name: string,
  lives: readonly Planned[],
  options: BoundaryOptions,
): Promise<Story> =>
  tell(name, async () => {
    const world = await createWorld({ postgresUrl: options.postgresUrl });
    try {
      return await killAll(world, lives, options);
    } finally {
      await world.close();
    }
  });

type Watched = Planned & { operationId: string; instanceId: string; before: Posts; source: string };
type Posts = string | undefined;

async function killAll(world: World, lives: readonly Planned[], options: BoundaryOptions) {
  const { seed, share, isQuick = false, isTimed = false } = options;
  const watched = await Promise.all(lives.map((one) => beginLife(world, one)));
  writePlan(world.folder, {
    ...{ seed, share, isQuick, signal: "SIGKILL" },
    lives: Object.fromEntries(watched.map(({ operationId, life }) => [operationId, life])),
  });

  const violations: string[] = [];
  const starts: number[] = [];
  let kills = 0;
  let until = Date.now() + withinMs;
  let worker: Running | undefined;
  while (!isOver(world, watched)) {
    if (Date.now() > until) {
      violations.push(
        `7: nothing has gone on for ${withinMs / 60_000} minutes`,
        ...watched.filter((one) => isLive(world, one)).map((one) => whereIs(world.db, one.operationId)),
      );
      break;
    }
    if (worker === undefined || worker.hasEnded()) {
      const how = await worker?.ended;
      if (how !== undefined && how.signal !== "SIGKILL")
        violations.push(`the worker ended by itself with ${how.code}: ${lastWords(world.folder, "worker")}`);
      if (violations.length > 20) break;
      if (how?.signal === "SIGKILL") kills += 1;
      if (how !== undefined && !isTimed) {
        const { startedAt } = worker ?? { startedAt: 0 };
        const isUnclear = readEntries(world.folder).some(
          ({ what, boundary, at }) => what === "kill" && at >= startedAt && boundary.endsWith(" | intent"),
        );
        world.passTime(isUnclear ? unclearMs : leaseMs);
      }
      worker = world.startWorker("worker");
      until = worker.startedAt + withinMs;
      starts.push(worker.startedAt);
    }
    await wait(20);
  }
  if (worker !== undefined) await endWorker(worker);

  const entries = readEntries(world.folder);
  const reached = entries.filter(({ what }) => what === "kill");
  // What is still under way breaks rules of what is at rest.
  if (isOver(world, watched)) {
    for (const one of watched) violations.push(...brokenPromises(world, one));
    for (const one of watched) await adoptAfterAll(world, one);
    violations.push(...(await world.broken()));
  }
  const idOf = new Map(watched.map(({ kind, life, operationId }) => [`${kind} | ${life.path}`, operationId]));
  return {
    violations,
    kills,
    boundaries: reached.map(({ boundary }) => boundary),
    resumedMs: isTimed ? resumptions(entries, starts, idOf) : [],
    cleanMs: cleanStart(entries, starts),
  };
}

/**
 * How long a worker took from its start to the operation in whose step its predecessor had died, ms. Only where that
 * held a claim: after a commit the next look may have a time of its own.
 */
function resumptions(
  entries: readonly Entry[],
  starts: readonly number[],
  idOf: ReadonlyMap<string, string>,
): number[] {
  return entries.flatMap(({ what, boundary, at }) => {
    const [kind = "", path = "", , moment = ""] = boundary.split(" | ");
    if (what !== "kill" || moment.startsWith("committed")) return [];
    const id = idOf.get(`${kind} | ${path.replace(", retried", "")}`);
    const startedAt = starts.find((start) => start >= at);
    const next = entries.find(
      (one) => one.what === "run" && one.at >= at && one.boundary.startsWith(`${id} `),
    );
    if (startedAt === undefined || next === undefined) return [];
    // Another kill came before it.
    if (starts.some((start) => start > startedAt && start < next.at)) return [];
    return [next.at - startedAt];
  });
}

/** The first worker of a world finds operations that nobody has touched. */
function cleanStart(entries: readonly Entry[], [first]: readonly number[]): number[] {
  const run = entries.find(({ what }) => what === "run");
  return first === undefined || run === undefined ? [] : [run.at - first];
}

/** SIGTERM, and a kill for what does not heed it. */
export async function endWorker(worker: Running): Promise<void> {
  signal(worker.pid, "SIGTERM");
  await Promise.race([worker.ended, wait(8000)]);
  await worker.kill();
}

/** Which lives show all steps of a definition. */
export function livesOf(definition: AnyDefinition): Planned[] {
  const forward = plannedSteps(definition).map(({ step }) => step);
  const firstFinal = forward.findIndex((step) => step.final);
  const cancellable = firstFinal < 0 ? forward : forward.slice(0, firstFinal);
  // A cancel in the very last step may come too late, which is allowed.
  const candidates = forward.length > 1 ? cancellable.filter((step) => step !== forward.at(-1)) : cancellable;
  const lastCancellable = candidates.at(-1)?.name;
  const stoppable = cancellable.find((step) => step.stop !== undefined)?.name;
  const cancelAt = new Set([lastCancellable, stoppable].filter((name) => name !== undefined));
  const lives: Life[] = [
    { path: "to its end" },
    ...[...cancelAt].map((name) => ({ path: `cancelled at ${name}`, cancelAt: name })),
    ...(definition.rescue === undefined
      ? []
      : [{ path: "put back and retried", failAt: forward.at(-1)?.name ?? "" }]),
  ];
  return lives.map((life) => ({ kind: definition.kind, life }));
}

async function beginLife(world: World, { kind, life }: Planned): Promise<Watched> {
  const { engine, db } = world;
  const instanceId = insertInstance(db, { status: "spawning", version: "2.13.0" });
  for (const earlier of startOf[kind].after) {
    await play(world, await startOf[earlier].begin(engine, instanceId));
    // Each of them finds posts that are younger than the last backup.
    post(world, instanceId, earlier);
  }
  const source = kind === "restore-as-new" ? "[]\n" : postsAfter("spawn");
  const before = startOf[kind].after.length === 0 ? undefined : postsAfter(lastWithDroplet(kind));
  const operationId = await startOf[kind].begin(engine, instanceId);
  return { kind, life, operationId, instanceId, before, source };
}

/** A cancelled adoption leaves a snapshot that no row knows, as it found it: the button pressed again takes it. */
async function adoptAfterAll(world: World, { kind, operationId, instanceId }: Watched): Promise<void> {
  const { state, facts } = operationOf(world.db, operationId);
  if (kind === "adopt-snapshot" && state === "cancelled")
    await play(world, begin(world.engine, instanceId, registry[kind], facts));
}

const postsAfter = (earlier: OperationKind) => `["written after ${earlier}"]\n`;

/** The last preparation after which there is still a droplet that people can post to. */
const lastWithDroplet = (kind: OperationKind): OperationKind =>
  startOf[kind].after.findLast((earlier) => earlier !== "destroy") ?? "spawn";

function post(world: World, instanceId: string, earlier: OperationKind): void {
  const file = postsOf(world, instanceId);
  if (file !== undefined) writeFileSync(file, postsAfter(earlier));
}

/** Presses Retry where that is a life's way on; true once nothing is left to do. */
function isOver(world: World, watched: readonly Watched[]): boolean {
  let isOver = true;
  for (const { operationId, life } of watched) {
    const { state, round } = operationOf(world.db, operationId);
    if (state === "failed" && life.failAt !== undefined && round === 0) {
      retryOperation(world.engine, operationId, "joe@intranet.localhost");
      world.engine.wake(operationId);
      isOver = false;
    } else if (isLive(world, { operationId })) isOver = false;
  }
  return isOver;
}

function isLive(world: World, { operationId }: Pick<Watched, "operationId">): boolean {
  const { state } = operationOf(world.db, operationId);
  return state === "running" || state === "cancelling";
}

/** How an operation of this life has to end, and which posts its intranet has to have then. */
function brokenPromises(world: World, { kind, life, operationId, instanceId, ...posts }: Watched): string[] {
  const { state, failure } = operationOf(world.db, operationId);
  const expected = life.cancelAt === undefined ? "done" : "cancelled";
  const broken: string[] = [];
  if (state !== expected)
    broken.push(
      `${kind}, ${life.path}: ${state} instead of ${expected} (${failure?.detail ?? "no failure"})`,
    );
  const { status } = instanceOf(world.db, instanceId);
  const file = postsOf(world, instanceId);
  if (file === undefined || status === "destroyed") return broken;
  const takesSource = (kind === "restore" || kind === "restore-as-new") && state === "done";
  const wanted = takesSource ? posts.source : posts.before;
  const found = readFileSync(file, "utf8");
  if (wanted !== undefined && found !== wanted)
    broken.push(`${kind}, ${life.path}: its posts are ${found.trim()} and not ${wanted.trim()}`);
  return broken;
}

/** Steps of a definition that no worker has died at, whatever the lives: this test's own gap. */
export function unreached(definition: AnyDefinition, boundaries: readonly string[]): string[] {
  const reached = new Set(
    boundaries
      .filter((boundary) => boundary.startsWith(`${definition.kind} | `))
      .map((one) => one.split(" | ")[2]),
  );
  // What only an operation after a failure has is not part of these lives.
  return [...stepsByName(definition).values()]
    .filter(isPlannedFor({}))
    .map(({ name }) => name)
    .filter((name) => !reached.has(name))
    .map((name) => `${definition.kind}: no worker was killed at ${name}`);
}
