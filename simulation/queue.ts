import type { Faults } from "./faults.ts";
import type { Machine, Process } from "./process.ts";

type Job = { operationId: string; cancel: () => void };

/**
 * PostgreSQL with Graphile Worker: jobs by key, each run by some living worker. It may be away, forget a job, or run one
 * twice; a job that is added again while it runs runs beside itself.
 */
export function createQueue({ timeline, random }: Machine, faults: Faults) {
  const jobs = new Map<string, Job>();
  let workers: { process: Process; advance: (operationId: string) => void }[] = [];

  function run(operationId: string): void {
    const awake = workers.filter(({ process }) => process.isAlive && !process.isStopped);
    if (awake.length === 0) {
      add(operationId, 500);
      return;
    }
    const worker = random.pick(awake);
    worker.process.deliver(() => worker.advance(operationId));
  }

  function add(operationId: string, ms: number): void {
    jobs.get(operationId)?.cancel();
    const cancel = timeline.push(ms, () => {
      jobs.delete(operationId);
      run(operationId);
    });
    jobs.set(operationId, { operationId, cancel });
  }

  return {
    /** `addJob` as one of our processes has it. */
    addJobFor:
      (process: Process) =>
      (operationId: string, runAt: Date | undefined): Promise<void> =>
        process.call(
          () => {
            if (faults.isArmed("queue-down")) {
              faults.count("queue-down");
              throw new Error("PostgreSQL is away");
            }
            if (faults.strikes("wake-up-lost")) return;
            const ms =
              runAt === undefined ? random.int(1, 20) : Math.max(0, runAt.getTime() - process.clock.now());
            add(operationId, ms);
            if (faults.strikes("wake-up-twice"))
              timeline.push(ms + random.int(0, 50), () => run(operationId));
          },
          { ms: 5 },
        ),
    join: (worker: (typeof workers)[number]) => {
      workers = [...workers.filter(({ process }) => process.isAlive), worker];
    },
    /** Somebody deletes PostgreSQL's data. */
    forgetAll(): void {
      for (const job of jobs.values()) job.cancel();
      jobs.clear();
    },
  };
}

export type Queue = ReturnType<typeof createQueue>;
