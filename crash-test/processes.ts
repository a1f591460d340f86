import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { root } from "#start/env.ts";
import { nodeArgs } from "#start/services.ts";

type Ended = { code: number | null; signal: NodeJS.Signals | null };
export type Running = {
  pid: number;
  startedAt: number;
  ended: Promise<Ended>;
  hasEnded: () => boolean;
  /** SIGKILL, and waits until it is gone. */
  kill: () => Promise<void>;
};

const running = new Set<number>();

/**
 * Ctrl-C, or whatever ends this process, leaves nothing behind that it has started. The signal comes more than once, from
 * the terminal and from the parent: the second one must not end what the first one has begun.
 */
export function endEverythingAtExit(): void {
  process.on("exit", () => {
    for (const pid of running) signal(pid, "SIGTERM");
  });
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, () => process.exit(130));
}

/** Runs a TypeScript file of the checkout as a process; what it says is appended to `log`. */
export function runFile(
  file: string,
  { env, log, under = [] }: { env: Record<string, string>; log: string; under?: readonly string[] },
): Running {
  const output = openSync(log, "a");
  const [command, ...args] = [...under, process.execPath, ...nodeArgs(file)];
  if (command === undefined) throw new Error("There is nothing to run.");
  const child = spawn(command, args, {
    cwd: root,
    stdio: ["ignore", output, output],
    env: { ...inherited(), NODE_ENV: "production", ...env },
  });
  closeSync(output);
  return watched(child);
}

/** The environment a process here needs; nothing of a Spawner's configuration comes along. */
function inherited(): Record<string, string> {
  const { PATH = "/usr/bin:/bin", HOME = "/root", ANSIBLE_BIN_DIR } = process.env;
  return { PATH, HOME, ...(ANSIBLE_BIN_DIR === undefined ? {} : { ANSIBLE_BIN_DIR }) };
}

function watched(child: ChildProcess): Running {
  const { pid } = child;
  if (pid === undefined) throw new Error(`${child.spawnfile} could not be started.`);
  const ended = new Promise<Ended>((resolve) =>
    child.once("exit", (code, signal) => resolve({ code, signal })),
  );
  running.add(pid);
  child.once("exit", () => running.delete(pid));
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
  return {
    pid,
    startedAt: Date.now(),
    ended,
    hasEnded,
    async kill() {
      if (!hasEnded()) signal(pid, "SIGKILL");
      await ended;
    },
  };
}

/** Sends a signal; a process that has ended already is fine. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** The processes whose command line holds all of these. */
export function processesWith(...texts: string[]): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      const command = readProc(name, "cmdline").replaceAll("\0", " ");
      return texts.every((text) => command.includes(text));
    })
    .map(Number);
}

/** The children of a process, and theirs. */
export function descendantsOf(pid: number): number[] {
  const children = readProc(String(pid), `task/${pid}/children`).split(" ").map(Number).filter(Boolean);
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}

/** A process may end while it is read. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

export const wait = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
