import { z } from "zod";
import { maskSecrets } from "#server/masking.ts";
import type {
  PlaybookEvent,
  PlaybookRun,
  PlaybookRunner,
  PlaybookState,
} from "#server/providers/playbooks/playbooks.ts";
import type { Cloud, SimDroplet } from "./cloud.ts";
import { back, DiskError, dump, swap, unpack } from "./disk.ts";
import type { Faults } from "./faults.ts";
import type { Intranets } from "./intranet.ts";
import type { Machine, Process } from "./process.ts";

/**
 * The playbook runner of the Spawner's machine: runs go on when the process that began them dies, and change the
 * droplets' disks task by task, as ansible/ does.
 */

type Run = {
  key: string;
  state: PlaybookState;
  events: PlaybookEvent[];
  address: string;
  playbook: string;
  tell: (() => void) | undefined;
};
type Task = { name: string; ms: number; work: (droplet: SimDroplet, tell: (line: string) => void) => void };
/** Tasks that the rules follow, by the names they have in ansible/. */
export const taskNames = {
  dump: "Dump the data",
  swap: "Put the backup's data in its place",
  back: "Put the previous data back",
  software: "Unpack the intranet's software",
} as const;
/** What is done when a task of the block fails, before the run fails. */
type Plan = { tasks: Task[]; rescue?: { from: string; tasks: Task[] } };

const vars = z.looseObject({
  url: z.string().optional(),
  version: z.string().optional(),
  backup_id: z.string().optional(),
  restore_id: z.string().optional(),
  restore_ids: z.array(z.string()).default([]),
  stop: z.boolean().default(false),
  leave_stopped: z.boolean().default(false),
  missing_is_empty: z.boolean().default(false),
  tidy_kept: z.array(z.string()).default([]),
  tidy_archives: z.array(z.string()).default([]),
  expected_tree: z.string().optional(),
  redirect_from: z.array(z.string()).optional(),
  company: z.string().optional(),
  environment_variables: z.record(z.string(), z.string()).optional(),
});

export type PlaybookWatcher = {
  /** A run begins while another one works on the same droplet. */
  overlap: (running: string, begun: string) => void;
  /** A task has changed a droplet. */
  task: (droplet: SimDroplet, run: string, task: string) => void;
};

export type Playbooks = ReturnType<typeof createPlaybooks>;

export function createPlaybooks(
  { timeline, random, wall }: Machine,
  faults: Faults,
  cloud: Cloud,
  intranets: Intranets,
  watcher: PlaybookWatcher,
) {
  const runs = new Map<string, Run>();
  const forgotten = new Set<string>();
  const cancelledBefore = new Set<string>();
  /** Versions that do not come up. */
  const broken = new Set<string>();

  const say = (run: Run, line: string, failed = false) => {
    const task = { index: run.events.length + 1, total: 10, name: line };
    run.events.push({
      at: wall.base + Math.floor(timeline.now),
      line,
      task,
      ...(failed ? { failed: true } : {}),
    });
    const { tell } = run;
    run.tell = undefined;
    tell?.();
  };
  const end = (run: Run, state: PlaybookState) => {
    if (run.state !== "running") return;
    run.state = state;
    say(run, state);
  };

  function planOf({ playbook, vars: given }: PlaybookRun): Plan {
    const values = vars.parse(given);
    const task = (name: string, ms: number, work: Task["work"]): Task => ({ name, ms, work });
    const start = task("Start the intranet", 300, ({ disk }) => {
      disk.isStarted = true;
      disk.openedBy = disk.software;
    });
    const stop = task("Stop the intranet", 200, ({ disk }) => {
      disk.isStarted = false;
    });
    const answer = task("Wait for the intranet to answer", 500, (droplet) => {
      if (!intranets.runs(droplet) || broken.has(droplet.disk.software ?? ""))
        throw new DiskError("The intranet does not answer.");
    });
    const passwordOf = (variables: Record<string, string> = {}) => variables.PASSWORD ?? "none";
    // As a task without no_log would show it: what was there, and what is there now.
    const configure = task("Write the environment file", 200, ({ disk }, tell) => {
      tell(
        `PASSWORD: ${passwordOf(disk.environment?.variables)} -> ${passwordOf(values.environment_variables)}`,
      );
      disk.environment = {
        url: values.url ?? "",
        variables: { COMPANY: values.company ?? "", ...values.environment_variables },
        redirectFrom: values.redirect_from ?? [],
      };
    });
    switch (playbook) {
      case "provision":
        return {
          tasks: [
            task("Prepare the intranet's folders", 200, ({ disk }) => {
              disk.data ??= [];
            }),
            configure,
            task(taskNames.software, 400, ({ disk }) => {
              disk.software = values.version;
            }),
            start,
            answer,
          ],
        };
      case "reconfigure":
        return { tasks: [configure, start, answer] };
      case "backup":
        return {
          tasks: [
            ...(values.stop ? [stop] : []),
            task(taskNames.dump, 500, ({ disk }) =>
              dump(disk, {
                id: values.backup_id ?? "",
                version: values.version ?? "",
                at: wall.base + wall.shift + Math.floor(timeline.now),
                isMissingEmpty: values.missing_is_empty,
                tidyKept: values.tidy_kept,
                tidyArchives: values.tidy_archives,
              }),
            ),
          ],
          ...(values.stop ? { rescue: { from: stop.name, tasks: [start] } } : {}),
        };
      case "restore":
        return {
          tasks: [
            task("Unpack the backup", 500, ({ disk }) =>
              unpack(disk, {
                id: values.backup_id ?? "",
                tree: values.expected_tree ?? "",
                before: values.restore_id ?? "",
              }),
            ),
            stop,
            task(taskNames.swap, 200, ({ disk }) =>
              swap(disk, values.restore_id ?? "", faults.strikes("swap-interrupted")),
            ),
            ...(values.leave_stopped ? [] : [start, answer]),
          ],
        };
      case "unrestore":
        return {
          tasks: [stop, task(taskNames.back, 200, ({ disk }) => back(disk, values.restore_ids)), start],
        };
    }
  }

  function begin(given: PlaybookRun): void {
    const { key, host, playbook } = given;
    if (runs.has(key) || forgotten.has(key) || cancelledBefore.has(key)) return;
    const other = [...runs.values()].find((one) => one.state === "running" && one.address === host.address);
    if (other !== undefined) watcher.overlap(other.key, key);
    const run: Run = { key, state: "running", events: [], address: host.address, playbook, tell: undefined };
    runs.set(key, run);
    const plan = planOf(given);
    const failsAt = faults.strikes("playbook-fails") ? random.int(0, plan.tasks.length - 1) : -1;
    const hangsAt = faults.strikes("playbook-hangs") ? random.int(0, plan.tasks.length - 1) : -1;
    let hasFailed = false;

    const next = (tasks: readonly Task[], index: number): void => {
      const task = tasks[index];
      if (task === undefined) {
        end(run, hasFailed ? "failed" : "succeeded");
        return;
      }
      if (!hasFailed && index === hangsAt) return;
      timeline.push(task.ms * (0.5 + random.next()), () => {
        if (run.state !== "running") return;
        const droplet = cloud.dropletAt(host.address);
        try {
          if (
            droplet === undefined ||
            !cloud.isReachable(droplet) ||
            !host.hostKeys.includes(droplet.hostKey)
          )
            throw new DiskError("The machine cannot be reached.");
          if (!hasFailed && index === failsAt) throw new DiskError("The task failed.");
          task.work(droplet, (line) => say(run, line));
          watcher.task(droplet, key, task.name);
          say(run, task.name);
          next(tasks, index + 1);
        } catch (error) {
          if (!(error instanceof DiskError)) throw error;
          say(run, `${task.name}: ${error.message}`, true);
          const { rescue } = plan;
          const from = rescue === undefined ? -1 : plan.tasks.findIndex((one) => one.name === rescue.from);
          if (hasFailed || rescue === undefined || index < from) return end(run, "failed");
          hasFailed = true;
          next(rescue.tasks, 0);
        }
      });
    };
    // As a playbook's first task: it waits for a machine that is coming up.
    const connect = (triesLeft: number): void => {
      if (run.state !== "running") return;
      const droplet = cloud.dropletAt(host.address);
      if (droplet === undefined || cloud.isReachable(droplet) || triesLeft === 0) next(plan.tasks, 0);
      else timeline.push(1000, () => connect(triesLeft - 1));
    };
    // Connecting takes its time; then one task after the other.
    timeline.push(random.int(300, 900), () => connect(60));
    // A run that hangs is stopped by ansible-runner's own limit, unless that hangs as well.
    timeline.push(random.int(20, 90) * 60_000, () => end(run, "failed"));
  }

  const runnerFor = (process: Process): PlaybookRunner => ({
    ensureRun: (run) => {
      if (faults.strikes("worker-stopped")) process.stopFor(random.int(2000, 60_000));
      return process.call(
        () => {
          begin(run);
          if (faults.strikes("worker-killed-in-call")) process.dieInCall();
        },
        { ms: 150 },
      );
    },
    readRun: (key, cursor, secrets) =>
      process.call(
        () => {
          const run = runs.get(key);
          if (run === undefined) return { state: "lost" as const, events: [], cursor };
          const events = run.events
            .slice(cursor)
            .map((event) => ({ ...event, line: maskSecrets(event.line, secrets) }));
          return { state: run.state, events, cursor: Math.max(cursor, run.events.length) };
        },
        { ms: 5 },
      ),
    onNews(key, cursor, tell) {
      const run = runs.get(key);
      if (run === undefined) return false;
      const told = () => process.deliver(tell);
      if (run.events.length > cursor || run.state !== "running") timeline.push(1, told);
      else run.tell = () => timeline.push(50, told);
      return true;
    },
    cancelRun: (key) =>
      process.call(
        () => {
          const run = runs.get(key);
          if (run === undefined) cancelledBefore.add(key);
          else end(run, "cancelled");
        },
        { ms: 50 },
      ),
    forgetRun: (key) =>
      process.call(
        () => {
          const run = runs.get(key);
          if (run !== undefined) end(run, "cancelled");
          if (run !== undefined) forgotten.add(key);
          runs.delete(key);
        },
        { ms: 20 },
      ),
    check: async () => ({ ok: true, userMessage: "Ready." }),
  });

  return {
    runnerFor,
    broken,
    running: () => [...runs.values()].filter((one) => one.state === "running"),
    /** The Spawner's machine starts anew: what ran is gone and left no result. */
    loseAll(): void {
      for (const run of runs.values()) if (run.state === "running") end(run, "lost");
    },
  };
}
