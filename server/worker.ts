import { run } from "graphile-worker";
import { z } from "zod";
import { openDatabase } from "../db/client.ts";
import { createEngine } from "./engine.ts";
import { type Env, readEnv } from "./env.ts";
import { keepHouse } from "./housekeeping.ts";
import { watchHealth } from "./instances/health.ts";
import { sendDueMail } from "./mailbox.ts";
import { advance } from "./operations/advance.ts";
import { releaseDeadClaims } from "./operations/claim.ts";
import { advanceTask, createWaker } from "./queue.ts";
import { report } from "./report.ts";

const payload = z.object({ operationId: z.string().min(1) });
const sweepEveryMs = 2000;
const housekeepingTask = "keep-house";

/** A process in a bad state ends; its supervisor starts a new one, and recovery at boot makes that cheap. */
function die(what: string, error: unknown): never {
  report(what, error);
  process.exit(1);
}

/**
 * Makes this process the worker: it takes wake-ups from the queue until a signal ends it. `compose` puts the engine
 * together; the crash test passes one whose steps are watched.
 */
export async function startWorker(env: Env, compose = createEngine): Promise<void> {
  process.on("unhandledRejection", (error) => die("unhandled rejection", error));
  process.on("uncaughtException", (error) => die("uncaught exception", error));

  const { db, connection } = openDatabase(env.databaseFile);
  // The queue needs the engine and the engine the queue: the first wake-ups wait for both.
  let wake = (_operationId: string): void => {};
  const engine = compose(env, db, (operationId) => wake(operationId));
  releaseDeadClaims(engine);

  const runner = await run({
    connectionString: env.databaseUrl,
    concurrency: 20,
    maxPoolSize: 22,
    // Only for what LISTEN has missed: wake-ups are added the moment they are due.
    pollInterval: 1000,
    noHandleSignals: true,
    taskList: {
      [advanceTask]: async (input) => {
        await advance(engine, payload.parse(input).operationId);
      },
      [housekeepingTask]: () => keepHouse(engine),
    },
    // Every minute, once however many workers there are; what was missed is not made up for: the next one sees it.
    crontab: `* * * * * ${housekeepingTask} ?max=1`,
  });
  runner.events.on("pool:listen:error", ({ error }) => report("PostgreSQL cannot be listened to", error));
  runner.events.on("worker:fatalError", ({ error }) => die("the queue's worker cannot go on", error));
  runner.promise.catch((error: unknown) => die("the queue has ended", error));

  const waker = createWaker(db, runner.addJob);
  wake = waker.wake;
  waker.sweep(-1);

  const sweeper = setInterval(() => {
    waker.sweep(3000);
    void sendDueMail(engine.mailbox).catch((error: unknown) =>
      report("the outgoing mail could not be read", error),
    );
  }, sweepEveryMs);
  const health = watchHealth(engine);
  void engine.providers.playbooks.warmUp?.(engine.site.runtime);

  async function stop(): Promise<void> {
    clearInterval(sweeper);
    health.stop();
    await runner.stop();
    connection.close();
    process.exit(0);
  }
  process.once("SIGTERM", () => void stop());
  process.once("SIGINT", () => void stop());
  process.stdout.write("worker ready\n");
}

if (process.argv[1] === import.meta.filename) await startWorker(readEnv());
