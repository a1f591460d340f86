import { and, eq, lte } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { steps, workers } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import { report } from "#server/report.ts";
import type { Engine } from "./engine.ts";
import type { StepRow } from "./plan.ts";
import { preparedQueries } from "./preparedQueries.ts";

/** A worker that has not renewed its lease for this long, ms, holds nothing any more. */
export const leaseMs = 4000;
const renewEveryMs = 1000;

/** A step that a worker runs now, and how it is told to stop. */
type Running = {
  step: StepRow;
  /** Whether a cancelled operation may cut it short. */
  abortable: boolean;
  abort: AbortController;
};

/**
 * What a process is to its claims: a name and the steps it runs. Claims name the worker and hold for as long as its
 * lease, so that nobody has to know whether a process of another container, or of before a restart, still lives.
 */
export type Worker = { id: string; running: Set<Running>; isRenewing: boolean };

export const createWorker = (): Worker => ({ id: newId(), running: new Set(), isRenewing: false });

/** The step belongs to somebody else now: whoever gets this stops at once and writes nothing. */
export class StaleClaim extends Error {
  constructor() {
    super("This step is held by another worker now.");
    this.name = "StaleClaim";
  }
}

/** The operation was cancelled while a step that may be cut short was running. */
export class CutShort extends Error {
  constructor() {
    super("The operation was cancelled.");
    this.name = "CutShort";
  }
}

const takingLease = prepared((tx: Pick<Tx, "insert" | "delete">) => ({
  forgetEnded: tx
    .delete(workers)
    .where(lte(workers.leaseUntil, given("now")))
    .prepare(),
  insert: tx
    .insert(workers)
    .values({ id: given("id"), leaseUntil: given("until") })
    .prepare(),
}));

/**
 * The worker's lease before it claims: renewed, or a new one. A worker whose lease is over (its process was stopped for
 * a while) may have lost its steps: it aborts them and goes on under another name.
 */
export function holdLease(engine: Engine, tx: Tx): void {
  if (renew(engine, tx)) return;
  loseAll(engine.worker);
  engine.worker.id = newId();
  const now = engine.monotonic();
  takingLease(tx).forgetEnded.run({ now });
  takingLease(tx).insert.run({ id: engine.worker.id, until: now + leaseMs });
}

function renew({ worker, monotonic }: Engine, tx: Tx): boolean {
  const now = monotonic();
  return preparedQueries(tx).renewLease(worker.id, { now, until: now + leaseMs });
}

function loseAll(worker: Worker): void {
  for (const { abort } of worker.running) abort.abort(new StaleClaim());
}

/** Renews the lease for as long as the worker runs steps, and tells those that are to stop. */
export function keepLease(engine: Engine): void {
  const { worker } = engine;
  if (worker.isRenewing) return;
  worker.isRenewing = true;
  const again = () =>
    engine.after(renewEveryMs, () => {
      worker.isRenewing = worker.running.size > 0;
      if (!worker.isRenewing) return;
      again();
      try {
        beat(engine);
      } catch (error) {
        // Without a renewal the lease ends by itself: nothing acts or writes any more.
        report("could not renew the worker's lease", error);
      }
    });
  again();
}

function beat(engine: Engine): void {
  const { worker, db } = engine;
  if (!renew(engine, db)) {
    loseAll(worker);
    return;
  }
  for (const { step, abortable, abort } of worker.running) {
    const row = preparedQueries(db).fenceAndCancel(step);
    if (row?.fence !== step.fence) abort.abort(new StaleClaim());
    else if (abortable && row.cancelledAt !== null && row.state === "running") abort.abort(new CutShort());
  }
}

/** Until when a worker holds its claims, by the monotonic clock; undefined for one that holds none any more. */
export const leaseUntil = ({ db, monotonic }: Engine, workerId: string): number | undefined =>
  preparedQueries(db).leaseUntil(workerId, monotonic());

/**
 * Whether somebody works on the step. Of its own claims a worker knows that itself: where an outcome could not be written
 * (the disk was full, say) the row still names it, and its lease alone would hold the step for as long as it lives.
 */
export function isHeld(
  engine: Engine,
  { operationId, name, claimedBy }: Pick<StepRow, "operationId" | "name" | "claimedBy">,
): boolean {
  const { worker } = engine;
  if (claimedBy !== worker.id) return claimedBy !== null && leaseUntil(engine, claimedBy) !== undefined;
  return [...worker.running].some(
    ({ step }) => step.operationId === operationId && step.name === name && step.claimedBy === claimedBy,
  );
}

const thisStep = (row: Pick<StepRow, "operationId" | "name">) =>
  and(eq(steps.operationId, row.operationId), eq(steps.name, row.name));

/** The step's row while the claim is the newest one: what every write of its holder is limited to. */
export const heldStep = (row: Pick<StepRow, "operationId" | "name" | "fence">) =>
  and(thisStep(row), eq(steps.fence, row.fence));

/** Throws StaleClaim unless the claim is the newest one. */
export function assertHeld({ db }: Engine, row: StepRow): void {
  if (preparedQueries(db).fence(row) !== row.fence) throw new StaleClaim();
}

/**
 * To be asked right before something outside is changed, with nothing awaited in between. Throws StaleClaim unless the
 * claim is the newest one and its worker's lease still runs.
 */
export function assertMayAct(engine: Engine, row: StepRow): void {
  assertHeld(engine, row);
  if (row.claimedBy === null || leaseUntil(engine, row.claimedBy) === undefined) throw new StaleClaim();
}
