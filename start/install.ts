import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, closeSync, constants } from "node:fs";
import { join } from "node:path";
import type { ChildEnv } from "./env.ts";
import { lastLines, openLog } from "./logs.ts";
import { say } from "./say.ts";

export type Outcome = { ok: true } | { ok: false; why: string };

/** The file of a command in the folders of PATH; undefined when it is in none. */
export function findCommand(name: string, path: string): string | undefined {
  for (const folder of path.split(":")) {
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not in this one.
    }
  }
  return undefined;
}

/** What is under way when this process exits is asked to end as well. */
const underWay = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of underWay) child.kill();
});

/** Runs a command to its end, everything it says going to `log`. Never throws; gives up after `timeoutMs`. */
export function runLogged(
  command: readonly [string, ...string[]],
  options: { log: string; cwd?: string; env: ChildEnv; timeoutMs: number },
): Promise<Outcome> {
  const { handle } = openLog(options.log);
  const [file, ...args] = command;
  return new Promise((done) => {
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: ["ignore", handle, handle],
      timeout: options.timeoutMs,
      killSignal: "SIGKILL",
    });
    closeSync(handle);
    underWay.add(child);
    child.once("close", () => underWay.delete(child));
    child.once("error", (error) => done({ ok: false, why: error.message }));
    child.once("exit", (code, signal) => {
      if (code === 0) return done({ ok: true });
      const how = signal === null ? `exited with ${code}` : `was killed by ${signal}`;
      done({ ok: false, why: `${command.slice(0, 3).join(" ")} ${how}: ${lastLines(options.log, 2)}` });
    });
  });
}

/** Whether a command starts and ends well: a file that is there may still miss its interpreter or its libraries. */
export const works = async (file: string, args: readonly string[], log: string, env: ChildEnv) =>
  (await runLogged([file, ...args], { log, env, timeoutMs: 60_000 })).ok;

export const canUseApt = (path: string): boolean =>
  process.getuid?.() === 0 && findCommand("apt-get", path) !== undefined;

/** Installs Debian packages as root. The lists are only fetched when the machine does not know the packages. */
export async function aptInstall(
  packages: readonly string[],
  options: { log: string; env: ChildEnv },
): Promise<Outcome> {
  say(`  installing ${packages.join(", ")} with apt-get (see ${options.log})`);
  const env = { ...options.env, DEBIAN_FRONTEND: "noninteractive" };
  const settings = [
    "-o",
    "DPkg::Lock::Timeout=180",
    "-o",
    "Acquire::Retries=3",
    "-y",
    "--no-install-recommends",
  ];
  const install = () =>
    runLogged(["apt-get", "install", ...settings, ...packages], {
      log: options.log,
      env,
      timeoutMs: 900_000,
    });
  const first = await install();
  if (first.ok) return first;
  const updated = await runLogged(["apt-get", "update"], { log: options.log, env, timeoutMs: 300_000 });
  return updated.ok ? install() : updated;
}
