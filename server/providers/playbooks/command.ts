import { join } from "node:path";
import { ProviderError } from "#server/providers/errors.ts";
import type { PlaybookHost, PlaybookRun } from "./playbooks.ts";
import { checkVariables, variablesAsYaml } from "./variables.ts";

export type AnsibleRunnerOptions = {
  /** Absolute folder in which every run gets a folder of its own, named by its key. */
  runsDir: string;
  /** Absolute path of the repository's `ansible/`. */
  ansibleDir: string;
  /** Folder of `ansible-runner` and `ansible-playbook` (a venv's `bin`), searched before `path`. */
  binDir?: string;
  /** PATH of a run. */
  path?: string;
  /** HOME of a run: where Python finds packages installed for one user. */
  home?: string;
  /** Seconds after which a run is stopped and has failed. 30 minutes by default. */
  timeoutSeconds?: number;
  /** Seconds a run waits for the machine to accept SSH. 60 by default. */
  connectTimeoutSeconds?: number;
  /** Python on the machines. */
  pythonInterpreter?: string;
};

/** A process to start and what must be on disk before: a plain value, nothing happens here. */
export type PlaybookCommand = {
  file: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  /** Folders, relative to `cwd`, mode 0700. */
  folders: string[];
  /** Files, relative to `cwd`, mode 0600. */
  files: { path: string; content: string }[];
  /** Symbolic links, relative to `cwd`. */
  links: { path: string; target: string }[];
};

/** The name of a run's only execution, hence the folder `artifacts/run`. */
const IDENT = "run";

/** Where the runner writes, relative to the run's folder; made beforehand, so that they can be watched. */
export const ARTIFACTS = join("artifacts", IDENT);
export const JOB_EVENTS = join(ARTIFACTS, "job_events");

/** Exists, relative to the run's folder, from the moment the run has begun; making it is what starts a run. */
export const BEGAN = "began";

/** Exists, relative to the run's folder, once somebody asked for the run to stop: from then on it never begins. */
export const CANCELLED = "cancelled";

/** Relative to the run's folder; gone as soon as Ansible has read it. */
export const VARIABLES_FILE = join("env", "extravars");

/**
 * `mkdir` is atomic, and between it and `exec` no other program runs: whoever calls this twice, at once or
 * after a crash, starts one process. Exit status 75: somebody began before, or cancelled it. The limit: a daemon closes each file it
 * could have open, one by one, and a container may allow a million.
 */
const BEGIN_ONCE = `ulimit -n 4096 2>/dev/null; mkdir "$0/${BEGAN}" 2>/dev/null || exit 75; [ -e "$0/${CANCELLED}" ] && exit 75; exec "$@"`;

/** A UNIX socket's path may have 104 bytes on macOS; ssh adds a dot and 16 characters while it connects. */
const LONGEST_CONTROL_PATH = 104;
const CONTROL_NAME_LENGTH = 1 + 10 + 17;

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/homebrew/bin";

/** The folder of a run. @throws ProviderError if the key is not a plain name. */
export function runFolder(key: string, options: Pick<AnsibleRunnerOptions, "runsDir">): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(key)) {
    throw new ProviderError({
      userMessage: "This playbook run has a name that can't be used. This is a bug in the Spawner.",
      detail: `Run key ${JSON.stringify(key)} must match [A-Za-z0-9][A-Za-z0-9._-]*, at most 128 characters.`,
      retryable: false,
    });
  }
  return join(options.runsDir, key);
}

/** The environment of everything this driver starts: minimal, and without secrets. */
export function playbookEnvironment(options: AnsibleRunnerOptions): Record<string, string> {
  const path = options.path ?? DEFAULT_PATH;
  return {
    PATH: options.binDir === undefined ? path : `${options.binDir}:${path}`,
    HOME: options.home ?? "/",
    LANG: "C.UTF-8",
    ANSIBLE_CONFIG: join(options.ansibleDir, "ansible.cfg"),
    ANSIBLE_NOCOWS: "1",
  };
}

/**
 * How a run is started, asserted word for word in the tests.
 * @throws ProviderError (not retryable) for variables or host details that are not valid.
 */
export function playbookCommand(run: PlaybookRun, options: AnsibleRunnerOptions): PlaybookCommand {
  const folder = runFolder(run.key, options);
  const vars = checkVariables(run.playbook, run.vars);
  checkHost(run.host);
  const runner = options.binDir === undefined ? "ansible-runner" : join(options.binDir, "ansible-runner");
  const controlFolder = join(folder, "cp");
  const multiplexed = Buffer.byteLength(controlFolder) + CONTROL_NAME_LENGTH < LONGEST_CONTROL_PATH;
  return {
    file: "/bin/sh",
    args: [
      "-c",
      BEGIN_ONCE,
      folder,
      ...[runner, "start", folder, "--ident", IDENT, "--playbook", `${run.playbook}.yml`],
    ],
    env: {
      ...playbookEnvironment(options),
      ANSIBLE_FORCE_COLOR: "1",
      // ansible-runner switches the check off unless it is asked for here; the file's setting is not enough.
      ANSIBLE_HOST_KEY_CHECKING: "True",
      ANSIBLE_HOME: join(folder, "home"),
      ANSIBLE_LOCAL_TEMP: join(folder, "tmp"),
      ANSIBLE_INVENTORY_ENABLED: "yaml",
      // One control socket folder per run: a connection is never shared with a machine that had the
      // address before.
      ...(multiplexed
        ? { ANSIBLE_SSH_CONTROL_PATH_DIR: controlFolder }
        : { ANSIBLE_SSH_ARGS: "-o ControlMaster=no -o ServerAliveInterval=15 -o ServerAliveCountMax=4" }),
    },
    cwd: folder,
    folders: ["env", "inventory", "tmp", "home", "cp", "artifacts", ARTIFACTS, JOB_EVENTS],
    files: [
      { path: join("inventory", "hosts.json"), content: inventory(run.host, folder, options) },
      { path: "known_hosts", content: knownHosts(run.host) },
      {
        path: join("env", "settings"),
        content: `${JSON.stringify({ job_timeout: options.timeoutSeconds ?? 1800 })}\n`,
      },
      { path: VARIABLES_FILE, content: variablesAsYaml(vars) },
      {
        path: "run.json",
        content: `${JSON.stringify({ playbook: run.playbook, runtime: vars.runtime })}\n`,
      },
    ],
    links: [{ path: "project", target: options.ansibleDir }],
  };
}

function inventory(host: PlaybookHost, folder: string, options: AnsibleRunnerOptions): string {
  const hosts = {
    droplet: {
      ansible_host: host.address,
      ansible_port: host.port,
      ansible_user: host.user,
      ansible_ssh_private_key_file: host.privateKeyFile,
      ansible_python_interpreter: options.pythonInterpreter ?? "/usr/bin/python3",
      machine_timeout: options.connectTimeoutSeconds ?? 60,
      // Nothing of the user's own ssh settings, agent or known hosts takes part.
      ansible_ssh_common_args: [
        "-F /dev/null",
        `-o 'UserKnownHostsFile="${join(folder, "known_hosts").replaceAll("%", "%%")}"'`,
        "-o GlobalKnownHostsFile=/dev/null",
        "-o StrictHostKeyChecking=yes",
        "-o IdentitiesOnly=yes",
        "-o IdentityAgent=none",
      ].join(" "),
    },
  };
  return `${JSON.stringify({ all: { hosts } }, undefined, 2)}\n`;
}

function knownHosts(host: PlaybookHost): string {
  const name = host.port === 22 ? host.address : `[${host.address}]:${host.port}`;
  return host.hostKeys.map((key) => `${name} ${key}\n`).join("");
}

function checkHost(host: PlaybookHost): void {
  const wrong = [
    /^[0-9A-Za-z.:_-]+$/.test(host.address) ? [] : ["address"],
    /^[a-z_][a-z0-9_-]*$/.test(host.user) ? [] : ["user"],
    Number.isInteger(host.port) && host.port > 0 && host.port < 65536 ? [] : ["port"],
    host.privateKeyFile.startsWith("/") ? [] : ["privateKeyFile"],
    host.hostKeys.length > 0 && host.hostKeys.every((key) => /^[a-z0-9@.-]+ [A-Za-z0-9+/]+=*$/.test(key))
      ? []
      : ["hostKeys"],
  ].flat();
  if (wrong.length === 0) return;
  throw new ProviderError({
    userMessage:
      "The droplet's details are incomplete, so it can't be reached safely. Destroy it and spawn it again.",
    detail: `Playbook host: not valid: ${wrong.join(", ")}`,
    retryable: false,
  });
}
