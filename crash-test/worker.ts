import { z } from "zod";
import { createEngine } from "#server/createEngine.ts";
import { readEnv } from "#server/env.ts";
import { startWorker } from "#server/worker.ts";
import { watchBoundaries } from "./boundaries.ts";
import { readPlan } from "./plan.ts";
import { standIns, withoutBudget } from "./standIns.ts";

/**
 * Process entry: the product's worker, whose steps are watched from outside. With CRASH_CLOUD, the local cloud's
 * folder, playbooks and intranets are stand-ins; without it they are the real ones.
 */
const { CRASH_FOLDER, CRASH_WORKER, CRASH_CLOUD } = z
  .object({ CRASH_FOLDER: z.string(), CRASH_WORKER: z.string(), CRASH_CLOUD: z.string().optional() })
  .parse(process.env);

await startWorker(readEnv(), (env, db, clock, wake) => {
  const engine = createEngine(env, db, clock, wake);
  Object.assign(engine.providers, withoutBudget(env, clock));
  if (CRASH_CLOUD !== undefined)
    Object.assign(engine.providers, standIns({ cloud: CRASH_CLOUD, runs: env.runsDir }));
  return watchBoundaries(engine, {
    plan: readPlan(CRASH_FOLDER),
    folder: CRASH_FOLDER,
    worker: CRASH_WORKER,
  });
});
