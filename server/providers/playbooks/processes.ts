import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { platform } from "node:os";
import { promisify } from "node:util";

export type RunningProcess = { pid: number; command: string };

/**
 * The processes of one run: those of Ansible and ssh that were given its folder on their command line.
 * A process id alone would not do: after a restart of the machine it may be somebody else's.
 */
export async function processesOfRun(folder: string): Promise<RunningProcess[]> {
  const processes = await listProcesses();
  return processes.filter(({ command }) => belongsToRun(command, folder));
}

/** Whether `pid` is alive and belongs to the run; much cheaper than {@link processesOfRun} on Linux. */
export async function isProcessOfRun(pid: number, folder: string): Promise<boolean> {
  if (platform() === "linux") return belongsToRun(linuxCommand(pid), folder);
  return (await processesOfRun(folder)).some((running) => running.pid === pid);
}

/** Kills what is left of a run and resolves when it is gone. */
export async function endProcessesOfRun(folder: string): Promise<void> {
  // A process may fork between being listed and being killed: gone means seen gone twice.
  for (let quiet = 0; ; ) {
    const processes = await processesOfRun(folder);
    quiet = processes.length === 0 ? quiet + 1 : 0;
    if (quiet === 2) return;
    for (const { pid } of processes) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Exported for its test: exact on the folder, so that "run-1" is not taken for "run-12". */
export function belongsToRun(command: string, folder: string): boolean {
  // Somebody reading a run's log is not part of it.
  if (!/ansible|ssh/.test(command.replaceAll(folder, ""))) return false;
  for (let at = command.indexOf(folder); at !== -1; at = command.indexOf(folder, at + 1)) {
    const next = command[at + folder.length];
    if (next === undefined || /[\s/"']/.test(next)) return true;
  }
  return false;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It went by itself.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function listProcesses(): Promise<RunningProcess[]> {
  if (platform() !== "linux") return listByPs();
  const pids = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  const processes = pids.map((pid) => ({ pid, command: linuxCommand(pid) }));
  return processes.filter(({ pid, command }) => command !== "" && pid !== process.pid);
}

/**
 * Empty for a process that is gone, or has ended and was not waited for. Read synchronously: no disk is asked, and a
 * few hundred small reads cost a tenth of what they cost by way of the thread pool.
 */
function linuxCommand(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trimEnd();
  } catch {
    return "";
  }
}

async function listByPs(): Promise<RunningProcess[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-ww", "-o", "pid=,command="], {
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout.split("\n").flatMap((line) => {
    const match = /^\s*(\d+)\s+(.*)$/.exec(line);
    return match === null ? [] : [{ pid: Number(match[1]), command: match[2] ?? "" }];
  });
}
