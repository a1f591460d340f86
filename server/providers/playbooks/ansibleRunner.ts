import { randomBytes } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { maskSecrets } from "#server/masking.ts";
import {
  type AnsibleRunnerOptions,
  ARTIFACTS,
  BEGAN,
  CANCELLED,
  JOB_EVENTS,
  playbookCommand,
  runFolder,
  VARIABLES_FILE,
} from "./command.ts";
import { checkInstallation } from "./installation.ts";
import {
  BEFORE_THE_FIRST_TASK,
  hasSucceeded,
  type JobEvent,
  linesOf,
  positionAfter,
  readJobEvents,
  type TaskPosition,
} from "./jobEvents.ts";
import type { PlaybookEvent, PlaybookRun, PlaybookRunner, PlaybookState } from "./playbooks.ts";
import { endProcessesOfRun, isProcessOfRun, processesOfRun } from "./processes.ts";
import { DRAFT, prepareRun, startRun, stopRunner } from "./start.ts";
import { createTaskCounter } from "./taskCount.ts";
import { createRunWatches } from "./watch.ts";

/** What the name of a folder begins with that is being removed. */
const FORGOTTEN = ".forgotten-";

/**
 * Writing a draft, or removing what was forgotten, takes milliseconds: after this long its process is dead. One that
 * slept finds its draft gone, and its run is begun by the next try.
 */
const ABANDONED_AFTER_MS = 60_000;

/** How long the key of a forgotten run stays taken after the last that was heard of it. */
const KEY_TAKEN_FOR_MS = 24 * 3_600_000;

/**
 * Runs playbooks with `ansible-runner start`: a process of its own that carries on when this one dies. All
 * that is known of a run is in its folder, so any process may read, cancel or forget it.
 */
export function createAnsibleRunner(given: AnsibleRunnerOptions): PlaybookRunner {
  const options: AnsibleRunnerOptions = {
    ...given,
    runsDir: resolve(given.runsDir),
    ansibleDir: resolve(given.ansibleDir),
    home: given.home ?? homedir(),
  };
  const countTasks = createTaskCounter(options);
  /** Where each run's reader stands, so that a reading does not begin at the first event each time. */
  const positions = new Map<string, { cursor: number; position: TaskPosition }>();
  const watches = createRunWatches();

  async function ensureRun(run: PlaybookRun): Promise<void> {
    const command = playbookCommand(run, options);
    const folder = command.cwd;
    if ((await exists(join(folder, BEGAN))) || (await exists(join(folder, CANCELLED)))) return;
    await prepareRun(command, options.runsDir);
    await startRun(command);
  }

  async function readRun(key: string, cursor: number, secrets: readonly string[]) {
    const folder = runFolder(key, options);
    const outcome = await outcomeOf(folder);
    const ended = outcome !== "running";
    // Files are read after the outcome: nothing is written once there is one.
    const eventsFolder = join(folder, JOB_EVENTS);
    const fresh = await readJobEvents(eventsFolder, cursor, ended);
    if (ended || hasReadItsVariables(fresh)) await rm(join(folder, VARIABLES_FILE), { force: true });

    let position = await positionAt(key, cursor, eventsFolder);
    const total = fresh.some((event) => event.stdout !== "") ? await totalTasks(folder) : 0;
    const events: PlaybookEvent[] = [];
    for (const event of fresh) {
      position = positionAfter(position, event);
      events.push(...linesOf(event, position, total, secrets));
    }
    let reached = fresh.at(-1)?.counter ?? cursor;
    const last = LAST_LINES[outcome];
    if (last !== undefined) {
      // It comes after the last event there is, once: its counter is the one after it.
      const end = (await readJobEvents(eventsFolder, 0, true)).at(-1)?.counter ?? 0;
      if (cursor <= end) {
        reached = end + 1;
        const task =
          position.index === 0
            ? {}
            : { task: { ...position, total: Math.max(await totalTasks(folder), position.index) } };
        const failed = outcome === "timeout" ? { failed: true as const } : {};
        const at = Date.now();
        const lastWords = outcome === "lost" ? maskSecrets(await lastWordsOf(folder), secrets) : "";
        if (lastWords !== "") events.push({ at, line: lastWords, ...task });
        events.push({ at, ...last, ...task, ...failed });
      }
    }
    if (ended) {
      positions.delete(key);
      watches.stop(key);
      // After a good end what is left goes by itself, in a moment; forgetting the run makes sure.
      if (outcome !== "succeeded") await endProcessesOfRun(folder);
    } else {
      positions.set(key, { cursor: reached, position });
    }
    return { state: STATES[outcome], events, cursor: reached };
  }

  async function positionAt(key: string, cursor: number, eventsFolder: string): Promise<TaskPosition> {
    const known = positions.get(key);
    if (known?.cursor === cursor) return known.position;
    if (cursor === 0) return BEFORE_THE_FIRST_TASK;
    const before = await readJobEvents(eventsFolder, 0, true);
    return before.filter((event) => event.counter <= cursor).reduce(positionAfter, BEFORE_THE_FIRST_TASK);
  }

  async function totalTasks(folder: string): Promise<number> {
    const about = await contentOf(join(folder, "run.json"));
    // Of a run that is being forgotten it may be gone before the events are.
    return about === "" ? 0 : countTasks(JSON.parse(about));
  }

  async function cancelRun(key: string): Promise<void> {
    const folder = runFolder(key, options);
    watches.stop(key);
    // Somebody may be about to start it: a folder that holds nothing but the mark takes the place of the run's.
    const mark = { path: CANCELLED, content: "" };
    if (!(await exists(folder)))
      await prepareRun({ cwd: folder, folders: [], files: [mark], links: [] }, options.runsDir);
    if ((await resultOf(folder)) !== undefined) return endProcessesOfRun(folder);
    await writeFile(join(folder, CANCELLED), "", { mode: 0o600 });
    // Whoever makes this folder first decides: a run that was prepared but not started never will be.
    const neverBegan = await mkdir(join(folder, BEGAN)).then(
      () => true,
      () => false,
    );
    if (!neverBegan) await stopRunner(folder, options);
    await endProcessesOfRun(folder);
    await rm(join(folder, VARIABLES_FILE), { force: true });
  }

  async function forgetRun(key: string): Promise<void> {
    const folder = runFolder(key, options);
    positions.delete(key);
    if (!(await exists(folder)) || (await isForgotten(folder))) return;
    const kept = (await exists(join(folder, CANCELLED))) ? [BEGAN, CANCELLED] : [BEGAN];
    await cancelRun(key);
    const names = (await readdir(folder)).filter((name) => !kept.includes(name));
    await discard(folder, names);
  }

  /** Out of the way first: what is half removed would look like a run. */
  async function discard(folder: string, names: string[]): Promise<void> {
    const trash = join(options.runsDir, `${FORGOTTEN}${randomBytes(8).toString("hex")}`);
    await mkdir(trash, { mode: 0o700 });
    // Somebody else may be forgetting the same run.
    for (const name of names) await rename(join(folder, name), join(trash, name)).catch(ignoreMissing);
    await rm(trash, { recursive: true, force: true });
  }

  async function tidy(isNeeded: (key: string) => boolean): Promise<void> {
    const now = Date.now();
    const entries = await readdir(options.runsDir, { withFileTypes: true }).catch(() => []);
    for (const { name } of entries.filter((entry) => entry.isDirectory())) {
      const path = join(options.runsDir, name);
      const ageMs = now - (await stat(path).catch(() => ({ mtimeMs: now }))).mtimeMs;
      if (name.startsWith(DRAFT) || name.startsWith(FORGOTTEN)) {
        if (ageMs > ABANDONED_AFTER_MS) await rm(path, { recursive: true, force: true });
      } else if (!name.startsWith(".") && !isNeeded(name)) {
        if (!(await isForgotten(path))) await forgetRun(name);
        else if (ageMs > KEY_TAKEN_FOR_MS) await rm(path, { recursive: true, force: true });
      }
    }
  }

  return {
    ensureRun,
    readRun,
    onNews: (key, cursor, tell) => watches.start(key, runFolder(key, options), cursor, tell),
    cancelRun,
    forgetRun,
    tidy,
    check: () => checkInstallation(options),
    async warmUp(runtime) {
      await countTasks({ playbook: "provision", runtime });
    },
  };
}

type Outcome = PlaybookState | "timeout";

const STATES: Record<Outcome, PlaybookState> = {
  running: "running",
  succeeded: "succeeded",
  failed: "failed",
  timeout: "failed",
  cancelled: "cancelled",
  lost: "lost",
};

const LAST_LINES: Partial<Record<Outcome, Pick<PlaybookEvent, "line" | "ended">>> = {
  timeout: { ended: "timed-out", line: "The run took too long and was stopped." },
  cancelled: { ended: "cancelled", line: "The run was cancelled." },
  lost: { ended: "lost", line: "The run's process is gone and left no result." },
};

async function outcomeOf(folder: string): Promise<Outcome> {
  const first = await resultOf(folder);
  if (first !== undefined) return first;
  if (await isRunning(folder)) return "running";
  // It may have ended between the two looks; and what remains without its runner has to go.
  return (await resultOf(folder)) ?? ((await exists(join(folder, CANCELLED))) ? "cancelled" : "lost");
}

/** Whether nothing is left of a run but that its key is taken. */
async function isForgotten(folder: string): Promise<boolean> {
  const names = await readdir(folder);
  return names.every((name) => name === BEGAN || name === CANCELLED);
}

/** What the playbook's statistics say, or what the runner wrote at its end: `status`, then `rc`. Undefined before. */
async function resultOf(folder: string): Promise<Outcome | undefined> {
  const artifacts = join(folder, ARTIFACTS);
  const rc = await contentOf(join(artifacts, "rc"));
  if (rc === "") return (await hasSucceeded(join(folder, JOB_EVENTS))) ? "succeeded" : undefined;
  if (rc === "0") return "succeeded";
  if (await exists(join(folder, CANCELLED))) return "cancelled";
  return (await contentOf(join(artifacts, "status"))) === "timeout" ? "timeout" : "failed";
}

/** A process that forks while the list is made may be missing in it; three looks do not miss it. */
const LOOKS = 3;

/** The runner keeps its process id in `pid`; just after the start, and while it stops, there is none. */
async function isRunning(folder: string): Promise<boolean> {
  for (let look = 1; look <= LOOKS; look += 1) {
    const pid = Number.parseInt(await contentOf(join(folder, "pid")), 10);
    if (Number.isInteger(pid) && (await isProcessOfRun(pid, folder))) return true;
    if ((await processesOfRun(folder)).some(({ command }) => /ansible-runner/.test(command))) return true;
    if (look < LOOKS) await new Promise((next) => setTimeout(next, 25));
  }
  return false;
}

/** What ansible-runner itself wrote last, such as the error that ended it; empty when it was killed. */
async function lastWordsOf(folder: string): Promise<string> {
  const said = await contentOf(join(folder, "daemon.log"));
  return said.split("\n").at(-1)?.trim() ?? "";
}

/** Ansible has read the variables file when the playbook starts. */
function hasReadItsVariables(events: readonly JobEvent[]): boolean {
  return events.some((event) => event.event === "playbook_on_start");
}

async function contentOf(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
