import { eq } from "drizzle-orm";
import { makeWorkerUtils } from "graphile-worker";
import { Client, Pool, type PoolClient } from "pg";
import type { Db } from "#db/client.ts";
import { wakeUps } from "#db/schema.ts";
import type { Clock } from "./clock.ts";
import { preparedQueries } from "./operations/engine/preparedQueries.ts";
import { report } from "./report.ts";
import { withTimeLimit } from "./timeLimit.ts";

export const advanceTask = "advance";
/** What is asked of Graphile Worker's `addJob`. */
export type AddJob = (
  task: string,
  payload: { operationId: string },
  spec?: { jobKey?: string; maxAttempts?: number; runAt?: Date },
) => Promise<unknown>;

/**
 * Connections to the queue's PostgreSQL that give up: a connection can be lost without a word, and whoever waits for it
 * would wait until the kernel gives up, a quarter of an hour later.
 */
export function createQueuePool(databaseUrl: string, max: number, answerWithinMs = 20_000): Pool {
  const pool = new Pool({
    connectionString: databaseUrl,
    max,
    connectionTimeoutMillis: 10_000,
    statement_timeout: answerWithinMs,
    query_timeout: answerWithinMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  });
  // Without listeners a lost connection would end the process; the pool replaces it by itself.
  const isLost = (error: Error) => report("a connection to PostgreSQL was lost", error);
  pool.on("error", isLost);
  pool.on("connect", (client) => {
    client.on("error", isLost);
    endAfterSilence(client);
  });
  return pool;
}

/** A query that was given up would keep its connection busy for ever: it ends, and the pool makes another one. */
function endAfterSilence(client: PoolClient): void {
  client.query = new Proxy(client.query, {
    apply(query, self, args) {
      const answer: unknown = Reflect.apply(query, self, args);
      if (answer instanceof Promise)
        answer.catch((error: unknown) => {
          const isSilent = error instanceof Error && error.message === "Query read timeout";
          if (isSilent && client instanceof Client) client.end().catch(isExpected);
        });
      return answer;
    },
  });
}
const isExpected = (): void => {};

/** What a process that only adds jobs holds of the queue. */
export type QueueConnection = { addJob: AddJob; release: () => Promise<void> };

export async function connectQueue(databaseUrl: string): Promise<QueueConnection> {
  const pool = createQueuePool(databaseUrl, 4);
  try {
    const utils = await makeWorkerUtils({ pgPool: pool });
    return {
      addJob: utils.addJob,
      release: async () => {
        await utils.release();
        await pool.end();
      },
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** Adds jobs over one connection, made when it is first needed and made anew after whatever goes wrong with it. */
export function createQueueClient(clock: Clock, connect: () => Promise<QueueConnection>): AddJob {
  let current: Promise<QueueConnection> | undefined;
  return async (...job) => {
    current ??= connect();
    const mine = current;
    try {
      return await answered(clock, () => mine.then((connection) => connection.addJob(...job)));
    } catch (error) {
      if (current === mine) current = undefined;
      // Nobody waits for the old one: it may never answer.
      mine.then((connection) => connection.release()).catch(() => {});
      throw error;
    }
  };
}

/** PostgreSQL takes a job in milliseconds. */
const addWithinMs = 10_000;

/** What PostgreSQL answers, bounded: a connection may be lost without a word. */
async function answered<Value>(clock: Clock, ask: () => Promise<Value>): Promise<Value> {
  try {
    return await withTimeLimit(clock, addWithinMs, ask);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
    throw new Error(`PostgreSQL did not answer within ${addWithinMs / 1000} s.`, { cause: error });
  }
}

/**
 * A wake-up that is due within this time is kept here and handed to the queue the moment it is due: PostgreSQL tells a
 * worker of a new job at once, but of one that has become due only when it is next asked. Most are replaced before.
 */
const keptMs = 60_000;

/**
 * Hands wake-ups from SQLite's outbox to the queue. PostgreSQL may be away, slow or empty, and this process may end:
 * what was not handed over stays unsent and is swept up again, here or by a successor.
 */
export function createWaker(db: Db, clock: Clock, addJob: AddJob) {
  const tail = new Map<string, Promise<void>>();
  /** Those that a send will read anew in a moment: another wish for them changes nothing. */
  const queued = new Set<string>();
  /** What was due and went to PostgreSQL, and when. */
  const handedOver = new Map<string, { dueAt: number; at: number }>();
  const timers = new Map<string, () => void>();

  async function send(operationId: string): Promise<void> {
    queued.delete(operationId);
    timers.get(operationId)?.();
    timers.delete(operationId);
    const dueAt = preparedQueries(db).wakeUp(operationId);
    if (dueAt === undefined) return;
    const waitMs = dueAt - clock.monotonic();
    if (waitMs > 0 && waitMs <= keptMs) {
      // Timers may fire a little early: then it is looked at once more.
      timers.set(
        operationId,
        clock.after(waitMs, () => wake(operationId)),
      );
      return;
    }
    const job = { jobKey: operationId, maxAttempts: 1 };
    if (waitMs <= 0) {
      // Without a time it is due by PostgreSQL's own clock. Not written down: in a moment its claim writes the row.
      await answered(clock, () => addJob(advanceTask, { operationId }, job));
      // Where nobody sweeps it must not grow; to forget is one wake-up too many.
      if (handedOver.size > 1000) handedOver.clear();
      handedOver.set(operationId, { dueAt, at: clock.monotonic() });
    } else {
      const runAt = new Date(clock.now() + waitMs);
      await answered(clock, () => addJob(advanceTask, { operationId }, { ...job, runAt }));
      db.update(wakeUps).set({ sentAt: clock.now() }).where(eq(wakeUps.operationId, operationId)).run();
    }
  }

  /** One after the other for the same operation, so that the last to be added is the newest wish. */
  function wake(operationId: string): void {
    if (queued.has(operationId)) return;
    queued.add(operationId);
    const before = tail.get(operationId) ?? Promise.resolve();
    const mine = before
      .then(() => send(operationId))
      .catch((error: unknown) =>
        report("a wake-up could not be handed to PostgreSQL; it is tried again", error),
      )
      .finally(() => {
        if (tail.get(operationId) === mine) tail.delete(operationId);
      });
    tail.set(operationId, mine);
  }

  /** Re-adds what is unsent, or was due or handed over more than `graceMs` ago. A wake-up too many is harmless. */
  function sweep(graceMs: number): void {
    const rows = preparedQueries(db).unsentWakeUps(clock.monotonic() - graceMs);
    for (const row of rows) {
      const handed = handedOver.get(row.operationId);
      if (handed?.dueAt !== row.dueAt || handed.at < clock.monotonic() - graceMs) wake(row.operationId);
    }
    // What has no row any more is over.
    const open = new Set(rows.map((row) => row.operationId));
    for (const operationId of handedOver.keys()) if (!open.has(operationId)) handedOver.delete(operationId);
  }

  return { wake, sweep };
}
