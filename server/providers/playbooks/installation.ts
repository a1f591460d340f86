import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { type AnsibleRunnerOptions, playbookEnvironment } from "./command.ts";

/** Each program a run needs, how it tells its version, and the packages it comes in. */
const PROGRAMS = [
  { name: "ansible-playbook", args: ["--version"], version: /\[core ([\d.]+\w*)\]/, own: true },
  { name: "ansible-runner", args: ["--version"], version: /([\d.]+\w*)/, own: true },
  { name: "ssh", args: ["-V"], version: /(OpenSSH_[\w.]+)/, own: false },
] as const;

/** Whether runs can be started on this machine, with the versions found or the way to get what is missing. */
export async function checkInstallation(
  options: AnsibleRunnerOptions,
): Promise<{ ok: boolean; userMessage: string }> {
  const found = await Promise.all(PROGRAMS.map((program) => versionOf(program, options)));
  const missing = PROGRAMS.filter((_, index) => found[index] === undefined).map(({ name }) => name);
  if (missing.length > 0) {
    return {
      ok: false,
      userMessage:
        `${missing.join(" and ")} can't be run on this machine. On Debian and Ubuntu: ` +
        "apt-get install ansible-core python3-ansible-runner openssh-client; " +
        "elsewhere: pip install ansible-core ansible-runner.",
    };
  }
  const [ansible, runner, ssh] = found;
  return { ok: true, userMessage: `Ansible ${ansible}, ansible-runner ${runner} and ${ssh} are ready.` };
}

async function versionOf(
  program: (typeof PROGRAMS)[number],
  options: AnsibleRunnerOptions,
): Promise<string | undefined> {
  const file =
    program.own && options.binDir !== undefined ? join(options.binDir, program.name) : program.name;
  try {
    const env = { ...playbookEnvironment(options) } as NodeJS.ProcessEnv;
    const { stdout, stderr } = await promisify(execFile)(file, [...program.args], { env, timeout: 20_000 });
    return program.version.exec(`${stdout}${stderr}`)?.[1];
  } catch {
    return undefined;
  }
}
