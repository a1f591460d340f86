import type { Clock } from "#server/clock.ts";
import { createClock } from "#server/clock.ts";
import { createEngine } from "#server/createEngine.ts";
import { readEnv } from "#server/env.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import { startWorker } from "#server/worker.ts";
import { fasterClock, paceShape } from "./fasterClock.ts";

/**
 * Process entry: the real worker at the given pace, without what would cost this machine most: playbooks only wait, and
 * every droplet shows a host key.
 */
const pace = paceShape.parse(JSON.parse(process.argv[2] ?? "{}"));

await startWorker(
  readEnv(),
  (env, db, clock, wake) => {
    const engine = createEngine(env, db, clock, wake);
    Object.assign(engine.providers, {
      playbooks: waitingPlaybooks(clock),
      scanHostKey: async () => "ssh-ed25519 AAAA",
    });
    return engine;
  },
  (db) => fasterClock(createClock(db), pace),
);

/** Runs that take 40 s and report their end, as ansible-runner's do. */
function waitingPlaybooks(clock: Clock): PlaybookRunner {
  const runMs = 40_000;
  const runs = new Map<string, { endsAt: number; tell?: () => void }>();
  const endsAt = (key: string) => runs.get(key)?.endsAt ?? Number.POSITIVE_INFINITY;
  return {
    async ensureRun({ key }) {
      if (runs.has(key)) return;
      runs.set(key, { endsAt: clock.monotonic() + runMs });
      clock.after(runMs, () => runs.get(key)?.tell?.());
    },
    readRun: async (key, cursor) => ({
      state: clock.monotonic() < endsAt(key) ? "running" : "succeeded",
      events: [],
      cursor,
    }),
    onNews(key, _cursor, tell) {
      const run = runs.get(key);
      if (run !== undefined) run.tell = tell;
      return run !== undefined;
    },
    cancelRun: async () => {},
    forgetRun: async (key) => void runs.delete(key),
    check: async () => ({ ok: true, userMessage: "Ready." }),
  };
}
