import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { z } from "zod";

/** A process and when it began: process ids are used again, the pair is not. */
export const identitySchema = z.object({ pid: z.number().int().positive(), startTime: z.string() });
export type Identity = z.infer<typeof identitySchema>;

/** When the process began, in the system's own words; undefined when it does not run (a zombie does not). */
function startTimeOf(pid: number): string | undefined {
  if (process.platform !== "linux") return startTimeByPs(pid);
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold anything; field 3 (state) follows the last one, field 22 is the start time.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function startTimeByPs(pid: number): string | undefined {
  try {
    const began = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return began.trim() || undefined;
  } catch {
    return undefined;
  }
}

export function identify(pid: number): Identity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime };
}

export const isAlive = (identity: Identity): boolean => startTimeOf(identity.pid) === identity.startTime;

/** Resolves with true once the process has ended, with false after `timeoutMs`. */
export async function hasEnded(identity: Identity, timeoutMs: number): Promise<boolean> {
  const until = Date.now() + timeoutMs;
  while (isAlive(identity)) {
    if (Date.now() > until) return false;
    await new Promise((done) => setTimeout(done, 25));
  }
  return true;
}

/** Asks a process to end with `signal`, and ends it with SIGKILL after `graceMs`. A process that is gone is fine. */
export async function endProcess(
  identity: Identity,
  graceMs = 8000,
  signal: NodeJS.Signals = "SIGTERM",
): Promise<void> {
  if (!isAlive(identity)) return;
  const descendants = descendantsOf(identity.pid);
  send(identity.pid, signal);
  if (!(await hasEnded(identity, graceMs))) {
    for (const one of [identity, ...descendants]) if (isAlive(one)) send(one.pid, "SIGKILL");
    await hasEnded(identity, 2000);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended in the meantime.
  }
}

/** The children of a process, and theirs, as far as the system lists them. */
function descendantsOf(pid: number): Identity[] {
  let children: number[] = [];
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    children = list
      .split(" ")
      .map(Number)
      .filter((child) => child > 0);
  } catch {
    return [];
  }
  return children.flatMap((child) => {
    const identity = identify(child);
    return identity === undefined ? [] : [identity, ...descendantsOf(child)];
  });
}
