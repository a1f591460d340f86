import { type FSWatcher, watch } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ARTIFACTS, JOB_EVENTS } from "./command.ts";
import { counterOf } from "./jobEvents.ts";

/** Lines come in bursts: that many milliseconds of them are read together. */
const GATHER_MS = 200;

/** A process that is killed writes nothing: it is asked after this often, in ms. */
const ALIVE_MS = 500;

/** Tells when runs have something new to read, without reading them again and again. */
export function createRunWatches() {
  const stops = new Map<string, () => void>();

  function stop(key: string): void {
    stops.get(key)?.();
    stops.delete(key);
  }

  /**
   * Calls `tell` once, when the run in `folder` has written an event above `cursor`: within {@link GATHER_MS}, and at
   * once when it is the last one or its process is gone. Another start for the same key replaces the former one. False when the system does
   * not let it be watched.
   */
  function start(key: string, folder: string, cursor: number, tell: () => void): boolean {
    stop(key);
    const watchers: FSWatcher[] = [];
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const end = () => {
      isOver = true;
      clearTimeout(timer);
      clearInterval(pulse);
      for (const watcher of watchers) watcher.close();
    };
    const news = (afterMs: number) => {
      if (isOver || (timer !== undefined && afterMs > 0)) return;
      clearTimeout(timer);
      timer = setTimeout(() => {
        end();
        if (stops.get(key) === end) stops.delete(key);
        tell();
      }, afterMs).unref();
    };
    let pid: number | undefined;
    const pulse = setInterval(async () => {
      pid ??= await pidOf(folder);
      if (pid !== undefined && !isAlive(pid)) news(0);
    }, ALIVE_MS).unref();
    const look = async (name: string) => {
      const found = counterOf(name)[0];
      if (found === undefined || found.counter <= cursor) return;
      news(GATHER_MS);
      const content = await readFile(join(folder, JOB_EVENTS, name), "utf8").catch(() => "");
      if (content.includes('"playbook_on_stats"')) news(0);
    };
    const follow = (path: string, onName: (name: string) => void) => {
      const watcher = watch(path, { persistent: false }, (_kind, name) => {
        if (name !== null) onName(name);
      });
      // A folder that goes away ends its watch; whoever reads the run will see.
      watcher.on("error", end);
      watchers.push(watcher);
    };
    try {
      follow(join(folder, JOB_EVENTS), (name) => void look(name));
      follow(join(folder, ARTIFACTS), (name) => {
        if (name === "rc") news(0);
      });
    } catch {
      end();
      return false;
    }
    stops.set(key, end);
    // What came before the watch began.
    void readdir(join(folder, ARTIFACTS), { recursive: true })
      .catch(() => [])
      .then((names) => {
        for (const name of names) {
          if (name === "rc") news(0);
          else void look(name.replace(/^job_events\//, ""));
        }
      });
    return true;
  }

  return { start, stop };
}

/** The runner's process id; undefined until it has written it. */
async function pidOf(folder: string): Promise<number | undefined> {
  const pid = Number.parseInt(await readFile(join(folder, "pid"), "utf8").catch(() => ""), 10);
  return Number.isInteger(pid) ? pid : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
