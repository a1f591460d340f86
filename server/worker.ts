import { run } from "graphile-worker";
import { z } from "zod";
import { openDatabase } from "#db/client.ts";
import { createClock } from "./clock.ts";
import { createEngine } from "./createEngine.ts";
import { type Env, readEnv } from "./env.ts";
import { watchHealth } from "./instances/health.ts";
import { keepSendingMail } from "./mail/sender.ts";
import { runMaintenance } from "./maintenance/maintenance.ts";
import { advance } from "./operations/engine/advance.ts";
import { createWaker } from "./operations/engine/wakeUps.ts";
import { advanceTask, createQueuePool } from "./queue.ts";
import { report } from "./report.ts";
import { createWatchdog } from "./watchdog.ts";

const payload = z.object({ operationId: z.string().min(1) });
const sweepEveryMs = 2000;
const maintenanceTask = "maintenance";
/** How long a stop waits for what is running: less than the 8 s after which the supervisor kills. */
const stopWithinMs = 4000;

/** A process in a bad state ends; its supervisor starts a new one, and recovery at boot makes that cheap. */
function die(what: string, error: unknown): never {
  report(what, error);
  process.exit(1);
}

/**
 * Makes this process the worker: it takes wake-ups from the queue until a signal ends it. `compose` puts the engine
 * together; the crash test passes one whose steps are watched. `clockOf` makes its clock; a benchmark passes a faster one.
 */
export async function startWorker(env: Env, compose = createEngine, clockOf = createClock): Promise<void> {
  process.on("unhandledRejection", (error) => die("unhandled rejection", error));
  process.on("uncaughtException", (error) => die("uncaught exception", error));

  const { db, connection } = openDatabase(env.databaseFile);
  const clock = clockOf(db);
  // The queue needs the engine and the engine the queue: the first wake-ups wait for both.
  let wake = (_operationId: string): void => {};
  const engine = compose(env, db, clock, (operationId) => wake(operationId));

  const slots = 20;
  const watchdog = createWatchdog(engine, { slots });
  const runner = await run({
    pgPool: createQueuePool(env.databaseUrl, slots + 2),
    concurrency: slots,
    // Only for what LISTEN has missed: wake-ups are added the moment they are due.
    pollInterval: 1000,
    noHandleSignals: true,
    taskList: {
      [advanceTask]: async (input) => {
        watchdog.taken();
        await advance(engine, payload.parse(input).operationId);
      },
      [maintenanceTask]: () => runMaintenance(engine),
    },
    // Every minute, once however many workers there are; what was missed is not made up for: the next one sees it.
    crontab: `* * * * * ${maintenanceTask} ?max=1`,
  });
  runner.events.on("pool:listen:error", ({ error }) => report("could not listen to PostgreSQL", error));
  runner.events.on("worker:fatalError", ({ error }) => die("the queue's worker failed", error));
  runner.promise.catch((error: unknown) => die("the queue stopped", error));

  const waker = createWaker(db, clock, runner.addJob);
  wake = waker.wake;
  waker.sweep(-1);

  const sweeper = setInterval(() => {
    if (watchdog.isStalled())
      die("no job has come from the queue for a minute, although many are due", undefined);
    waker.sweep(3000);
  }, sweepEveryMs);
  const sender = keepSendingMail(engine.mailbox);
  const health = watchHealth(engine);
  void engine.providers.playbooks.warmUp?.(engine.site.runtime);

  async function stop(): Promise<void> {
    clearInterval(sweeper);
    sender.stop();
    const allEnded = await Promise.race([
      Promise.all([runner.stop(), health.stop()]).then(() => true),
      clock.wait(stopWithinMs).then(() => false),
    ]);
    if (!allEnded) report("stopping with steps still running; the next worker resumes them");
    connection.close();
    process.exit(0);
  }
  process.once("SIGTERM", () => void stop());
  process.once("SIGINT", () => void stop());
  process.stdout.write("worker ready\n");
}

if (process.argv[1] === import.meta.filename) await startWorker(readEnv());
