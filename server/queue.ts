import { makeWorkerUtils } from "graphile-worker";
import { Client, Pool, type PoolClient } from "pg";
import type { Clock } from "./clock.ts";
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

/** What PostgreSQL answers, within 10 s: a connection may be lost without a word. */
export async function answered<Value>(clock: Clock, ask: () => Promise<Value>): Promise<Value> {
  try {
    return await withTimeLimit(clock, addWithinMs, ask);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "TimeoutError")) throw error;
    throw new Error(`PostgreSQL didn't answer within ${addWithinMs / 1000} s.`, { cause: error });
  }
}
