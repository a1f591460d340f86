import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { type AnsibleRunnerOptions, playbookEnvironment } from "./command.ts";
import { playbookNames } from "./playbooks.ts";

const aboutSchema = z.object({ playbook: z.enum(playbookNames), runtime: z.enum(["local", "server"]) });

/**
 * How many tasks a playbook runs, as Ansible itself lists them, asked once for each playbook and runtime.
 * 0 when it cannot be found out: the caller then knows only the tasks it saw.
 */
export function createTaskCounter(options: AnsibleRunnerOptions): (about: unknown) => Promise<number> {
  const counts = new Map<string, Promise<number>>();
  return async (about) => {
    const { playbook, runtime } = aboutSchema.parse(about);
    const key = `${playbook} ${runtime}`;
    const known = counts.get(key);
    if (known !== undefined) return known;
    const count = listTasks(playbook, runtime, options).catch(() => {
      counts.delete(key);
      return 0;
    });
    counts.set(key, count);
    return count;
  };
}

async function listTasks(playbook: string, runtime: string, options: AnsibleRunnerOptions): Promise<number> {
  const file = options.binDir === undefined ? "ansible-playbook" : join(options.binDir, "ansible-playbook");
  const { stdout } = await promisify(execFile)(
    file,
    ["--inventory", "droplet,", "--extra-vars", `runtime=${runtime}`, "--list-tasks", `${playbook}.yml`],
    {
      cwd: options.ansibleDir,
      env: { ...playbookEnvironment(options) } as NodeJS.ProcessEnv,
      timeout: 60_000,
    },
  );
  return countListedTasks(stdout);
}

/** Counts the lines of `ansible-playbook --list-tasks` that name a task. */
export function countListedTasks(listing: string): number {
  return listing.split("\n").filter((line) => /^ {6}\S.*\tTAGS: \[/.test(line)).length;
}
