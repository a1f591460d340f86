import { readdirSync, readFileSync } from "node:fs";

/** Who a process works for: the application itself, the cloud it is pointed at, or a playbook. */
type Part = "spawner" | "cloud" | "playbooks";
export type Parts = Record<Part, number>;

/**
 * The running processes of the application that was started as `root` with its data in `dataDir`, by part. Playbooks
 * are processes of their own, which know no parent any more: they are told by the data folder on their command line.
 */
function processesOf(root: number, dataDir: string): { pid: number; part: Part }[] {
  const found = new Map<number, { parent: number; command: string }>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const parent = readProc(name, "status").match(/^PPid:\s+(\d+)/m)?.[1];
    const command = readProc(name, "cmdline").replaceAll("\0", " ");
    if (parent !== undefined) found.set(Number(name), { parent: Number(parent), command });
  }
  const partOf = (pid: number): Part | undefined => {
    const one = found.get(pid);
    if (one === undefined) return undefined;
    if (one.command.includes(`${dataDir}/runs/`)) return "playbooks";
    if (/local-cloud\//.test(one.command)) return isOurs(pid) ? "cloud" : undefined;
    if (pid === root) return "spawner";
    return partOf(one.parent);
  };
  const isOurs = (pid: number): boolean => {
    const one = found.get(pid);
    return one !== undefined && (pid === root || isOurs(one.parent));
  };
  return [...found.keys()].flatMap((pid) => {
    const part = partOf(pid);
    return part === undefined ? [] : [{ pid, part }];
  });
}

/** Memory by part in MiB, shared pages counted once (PSS). The kernel takes its time for it: not to be asked often. */
export function memoryOf(root: number, dataDir: string): Parts {
  const kib: Parts = { spawner: 0, cloud: 0, playbooks: 0 };
  for (const { pid, part } of processesOf(root, dataDir))
    kib[part] += Number(readProc(String(pid), "smaps_rollup").match(/^Pss:\s+(\d+)/m)?.[1] ?? 0);
  return {
    spawner: Math.round(kib.spawner / 1024),
    cloud: Math.round(kib.cloud / 1024),
    playbooks: Math.round(kib.playbooks / 1024),
  };
}

/** Seconds of processor time that this machine has spent so far, and what it could have spent. */
export function machineSeconds(): { busy: number; all: number } {
  const numbers = (readFileSync("/proc/stat", "utf8").split("\n")[0] ?? "").split(/\s+/).slice(1).map(Number);
  const all = numbers.slice(0, 8).reduce((sum, one) => sum + one, 0);
  return {
    busy: (all - (numbers[3] ?? 0) - (numbers[4] ?? 0) - (numbers[7] ?? 0)) / ticks,
    all: all / ticks,
  };
}

/** Seconds of processor time by part, of the processes that run now. */
export function secondsOf(root: number, dataDir: string): Parts {
  const seconds: Parts = { spawner: 0, cloud: 0, playbooks: 0 };
  for (const { pid, part } of processesOf(root, dataDir)) {
    const fields = readProc(String(pid), "stat").split(") ")[1]?.split(" ") ?? [];
    seconds[part] += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticks;
  }
  return seconds;
}

/** Linux counts processor time in hundredths of a second. */
const ticks = 100;

/** A process may end while it is read. */
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
