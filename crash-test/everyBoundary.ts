import { readFileSync, writeFileSync } from "node:fs";
import type { OperationKind } from "../db/schema.ts";
import { catalogue } from "../server/operations/catalogue.ts";
import { retryOperation } from "../server/operations/commands.ts";
import { type AnyDefinition, plannedSteps } from "../server/operations/definition.ts";
import { stepsByName } from "../server/operations/plan.ts";
import { insertInstance } from "../server/operations/testEngine.ts";
import { startOf } from "../server/operations/testStarts.ts";
import { type Entry, type Life, readEntries, writePlan } from "./plan.ts";
import { type Running, signal, wait } from "./processes.ts";
import { type Story, tell } from "./story.ts";
import { createWorld, instanceOf, lastWords, operationOf, play, postsOf, type World } from "./world.ts";

/** Waiting for what an unclear request may have bought takes up to a minute, and each kill may begin it anew. */
const withinMs = 8 * 60_000;

export type BoundaryOptions = { postgresUrl: string; seed: number; share: number; only?: string | undefined };

/**
 * One kind of operation, in several lives at once: to its end, cancelled at a step that has something running outside,
 * cancelled at the last step that can be, and failed for good at its last step, put back and retried. One worker
 * serves them all. It dies at the first boundary it comes to that it has not died at before, is started again, and so
 * on until none is left; the other lives are then wherever they happen to be.
 */
export const killAtEveryBoundary = (kind: OperationKind, options: BoundaryOptions): Promise<Story> =>
  tell(`${kind}: worker killed at every boundary`, async () => {
    const world = await createWorld({ postgresUrl: options.postgresUrl });
    try {
      return await killAll(world, catalogue[kind], options);
    } finally {
      await world.close();
    }
  });

type Watched = Life & { operationId: string; instanceId: string; before: Posts; source: string };
type Posts = string | undefined;

async function killAll(world: World, definition: AnyDefinition, { seed, share, only }: BoundaryOptions) {
  const lives = livesOf(definition).filter(({ path }) => only === undefined || path.includes(only));
  const watched = await Promise.all(lives.map((life) => beginLife(world, definition.kind, life)));
  const planned = Object.fromEntries(watched.map(({ operationId, ...life }) => [operationId, life]));
  writePlan(world.folder, { seed, share, signal: "SIGKILL", lives: planned });

  const violations: string[] = [];
  const starts: number[] = [];
  const until = Date.now() + withinMs;
  let worker: Running | undefined;
  while (!isOver(world, watched)) {
    if (Date.now() > until) {
      violations.push(`7: it has not come to an end within ${withinMs / 60_000} minutes`);
      break;
    }
    if (worker === undefined || worker.hasEnded()) {
      const how = await worker?.ended;
      if (how !== undefined && how.signal !== "SIGKILL")
        violations.push(`the worker ended by itself with ${how.code}: ${lastWords(world.folder, "worker")}`);
      if (violations.length > 20) break;
      worker = world.startWorker("worker");
      starts.push(worker.startedAt);
    }
    await wait(20);
  }
  if (worker !== undefined) await endWorker(worker);

  const entries = readEntries(world.folder);
  const kills = entries.filter(({ what }) => what === "kill");
  for (const life of watched) violations.push(...brokenPromises(world, definition, life));
  violations.push(...(await world.broken()));
  if (share === 1 && only === undefined) violations.push(...unreached(definition, entries));
  const idOf = new Map(watched.map(({ path, operationId }) => [path, operationId]));
  return {
    violations,
    kills: kills.length,
    boundaries: kills.map(({ boundary }) => boundary),
    resumedMs: resumptions(entries, starts, idOf),
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
    const [, path = "", , moment = ""] = boundary.split(" | ");
    if (what !== "kill" || moment.startsWith("committed")) return [];
    const id = idOf.get(path.replace(", retried", ""));
    const startedAt = starts.find((start) => start >= at);
    const next = entries.find((one) => one.what === "run" && one.at >= at && one.boundary.startsWith(`${id} `));
    if (startedAt === undefined || next === undefined) return [];
    // Another kill came before it.
    if (starts.some((start) => start > startedAt && start < next.at)) return [];
    return [next.at - startedAt];
  });
}

/** SIGTERM, and a kill for what does not heed it. */
export async function endWorker(worker: Running): Promise<void> {
  signal(worker.pid, "SIGTERM");
  await Promise.race([worker.ended, wait(8000)]);
  await worker.kill();
}

/** Which lives show all steps of a definition. */
export function livesOf(definition: AnyDefinition): Life[] {
  const forward = plannedSteps(definition).map(({ step }) => step);
  const lastCancellable = forward.findLast((step) => !step.final)?.name;
  const stoppable = forward.find((step) => step.stop !== undefined)?.name;
  const cancelAt = new Set([lastCancellable, stoppable].filter((name) => name !== undefined));
  return [
    { path: "to its end" },
    ...[...cancelAt].map((name) => ({ path: `cancelled at ${name}`, cancelAt: name })),
    ...(definition.rescue === undefined
      ? []
      : [{ path: "put back and retried", failAt: forward.at(-1)?.name ?? "" }]),
  ];
}

async function beginLife(world: World, kind: OperationKind, life: Life): Promise<Watched> {
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
  return { ...life, operationId, instanceId, before, source };
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
  for (const { operationId, failAt } of watched) {
    const { state, round } = operationOf(world.db, operationId);
    if (state === "failed" && failAt !== undefined && round === 0) {
      retryOperation(world.db, operationId, "joe@intranet.localhost", Date.now());
      world.engine.wake(operationId);
      isOver = false;
    } else if (state === "running" || state === "cancelling") isOver = false;
  }
  return isOver;
}

/** How an operation of this life has to end, and which posts its intranet has to have then. */
function brokenPromises(world: World, { kind }: AnyDefinition, life: Watched): string[] {
  const { state, failure } = operationOf(world.db, life.operationId);
  const expected = life.cancelAt === undefined ? "done" : "cancelled";
  const broken: string[] = [];
  if (state !== expected)
    broken.push(`${kind}, ${life.path}: ${state} instead of ${expected} (${failure?.detail ?? "no failure"})`);
  const { status } = instanceOf(world.db, life.instanceId);
  const file = postsOf(world, life.instanceId);
  if (file === undefined || status === "destroyed") return broken;
  const takesSource = (kind === "restore" || kind === "restore-as-new") && state === "done";
  const posts = takesSource ? life.source : life.before;
  const found = readFileSync(file, "utf8");
  if (posts !== undefined && found !== posts)
    broken.push(`${kind}, ${life.path}: its posts are ${found.trim()} and not ${posts.trim()}`);
  return broken;
}

/** Steps of the definition that no life has come to: this test's own gap. */
function unreached(definition: AnyDefinition, entries: readonly { boundary: string }[]): string[] {
  const reached = new Set(entries.map(({ boundary }) => boundary.split(" | ")[2]));
  return [...stepsByName(definition).keys()]
    .filter((name) => !reached.has(name))
    .map((name) => `${definition.kind}: no life has come to ${name}`);
}
