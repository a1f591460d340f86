import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";

/**
 * Processes that belong to a droplet: every one carries `DROPLET_ROOT=<root>` in its environment, or runs as the
 * droplet's own user, whatever it has made of its environment.
 * On Linux all of them are found, daemons that left their session included; elsewhere those that
 * have a pid file in `<root>/run` or beside the root. A pid is never believed without that mark.
 */
export async function processesOf(root: string, uid?: number): Promise<number[]> {
  const candidates = process.platform === "linux" ? await allProcesses() : await pidFiles(root);
  const found: number[] = [];
  for (const pid of candidates) {
    if (pid === process.pid) continue;
    if ((await belongsTo(pid, uid)) || (await environmentOf(pid)).includes(`DROPLET_ROOT=${root}`))
      found.push(pid);
  }
  return found;
}

/** Kills every process of a droplet at once (the plug is pulled), this process excepted. */
export async function killProcessesOf(root: string, uid?: number): Promise<number> {
  let killed = 0;
  // A process may fork while it is being looked at: look until nothing is left.
  for (let round = 0; round < 5; round += 1) {
    const pids = await processesOf(root, uid);
    if (pids.length === 0) break;
    for (const pid of pids) killed += kill(pid, "SIGKILL") ? 1 : 0;
  }
  return killed;
}

/** Sends a signal to a process, or to a group when `pid` is negative; false when there is none. */
export function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

async function allProcesses(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

async function pidFiles(root: string): Promise<number[]> {
  const names = await readdir(path.join(root, "run")).catch(() => []);
  const files = names.filter((name) => name.endsWith(".pid")).map((name) => path.join(root, "run", name));
  files.push(path.join(path.dirname(root), "pid"));
  const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
  return texts.map(Number).filter((pid) => Number.isInteger(pid) && pid > 1);
}

/** Whether a process runs as this user. */
async function belongsTo(pid: number, uid: number | undefined): Promise<boolean> {
  if (uid === undefined) return false;
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return text.includes(`\nUid:\t${uid}\t`);
}

/** The environment of a process as a list; empty when it is gone, a zombie, or not ours to see. */
async function environmentOf(pid: number): Promise<string[]> {
  if (process.platform === "linux") {
    const text = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    return text.split("\0");
  }
  return new Promise((resolve) => {
    execFile("ps", ["eww", "-o", "command=", "-p", String(pid)], (error, out) =>
      resolve(error ? [] : out.split(" ")),
    );
  });
}
