import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { ChildEnv, StartEnv } from "./env.ts";
import { root } from "./env.ts";
import { aptInstall, canUseApt, findCommand, runLogged, works } from "./install.ts";
import { logFile } from "./logs.ts";
import { StartError, say } from "./say.ts";

type Wanted = Pick<StartEnv, "dataDir" | "path" | "ansibleBinDir" | "inherited">;
const commands = ["ansible-playbook", "ansible-runner"] as const;

/** Ansible as the worker needs it: `binDir` is undefined when its commands are found in PATH. */
export type Ansible = { binDir: string | undefined };

/**
 * Finds Ansible, ansible-runner and an SSH client, or installs them. The order: what is in PATH; a venv made earlier;
 * as root on Debian its packages, because they bring everything in one signed go while `python3 -m venv` needs a
 * package there that Debian leaves out; else a venv of our own with pip, which needs no rights. Throws a StartError that
 * says what to install when nothing works.
 */
export async function ensureAnsible(env: Wanted): Promise<Ansible> {
  const venv = join(env.dataDir, "venv");
  const log = logFile(env.dataDir, "install");
  const failures: string[] = [];

  if (!hasSsh(env.path) && canUseApt(env.path)) {
    const packages = (await usable(undefined, env, log)) ? ["openssh-client"] : debianPackages;
    const outcome = await aptInstall(packages, { log, env: env.inherited });
    if (!outcome.ok) failures.push(outcome.why);
  }
  if (!hasSsh(env.path))
    throw new StartError(
      `The command "ssh" is missing, and Ansible needs it. Install OpenSSH's client (Debian: apt-get install openssh-client).${because(failures)}`,
    );

  if (env.ansibleBinDir !== undefined) {
    if (await usable(env.ansibleBinDir, env, log)) return { binDir: env.ansibleBinDir };
    throw new StartError(
      `ANSIBLE_BIN_DIR names ${env.ansibleBinDir}, but ansible-playbook and ansible-runner don't both run there. Correct it or unset it.`,
    );
  }
  if (await usable(undefined, env, log)) return { binDir: undefined };
  if (await usable(join(venv, "bin"), env, log)) return { binDir: join(venv, "bin") };
  if (canUseApt(env.path)) {
    const outcome = await aptInstall(debianPackages, { log, env: env.inherited });
    if (outcome.ok && (await usable(undefined, env, log))) return { binDir: undefined };
    if (!outcome.ok) failures.push(outcome.why);
  }
  const outcome = await makeVenv(venv, env, log);
  if (outcome === undefined && (await usable(join(venv, "bin"), env, log)))
    return { binDir: join(venv, "bin") };
  if (outcome !== undefined) failures.push(outcome);
  throw new StartError(
    "Ansible and ansible-runner are missing and couldn't be installed. Install them (Debian, as root: apt-get install " +
      `${debianPackages.join(" ")}; elsewhere: pip install ansible-core ansible-runner) and start again. ` +
      `See ${log}.${because(failures)}`,
  );
}

const debianPackages = ["ansible-core", "python3-ansible-runner", "openssh-client"];
const hasSsh = (path: string): boolean => findCommand("ssh", path) !== undefined;
const because = (failures: readonly string[]): string =>
  failures.length === 0 ? "" : ` (${failures.join("; ")})`;

/** Whether both commands are there and run: in one folder, or in PATH when none is named. */
async function usable(binDir: string | undefined, env: Wanted, log: string): Promise<boolean> {
  const files = commands.map((name) => findCommand(name, binDir ?? env.path));
  const answers = await Promise.all(
    files.map((file) => (file === undefined ? false : works(file, ["--version"], log, env.inherited))),
  );
  return answers.every(Boolean);
}

async function makeVenv(venv: string, env: Wanted, log: string): Promise<string | undefined> {
  const python = findCommand("python3", env.path);
  if (python === undefined) return "python3 is missing";
  say(`  installing ansible-core and ansible-runner into ${venv} (about a minute; see ${log})`);
  const made = await runLogged([python, "-m", "venv", "--clear", venv], {
    log,
    env: env.inherited,
    timeoutMs: 120_000,
  });
  if (!made.ok) return made.why;
  const pip: [string, ...string[]] = [
    join(venv, "bin", "pip"),
    "install",
    "--no-input",
    "ansible-core",
    "ansible-runner",
  ];
  const installed = await runLogged(pip, { log, env: env.inherited, timeoutMs: 600_000 });
  return installed.ok ? undefined : installed.why;
}

const chromiumNames = ["chromium", "chromium-browser"].map((name) => `/usr/bin/${name}`);

/**
 * Finds or installs the browser of the end-to-end tests: the system's; else as root on Debian its package, because it
 * brings the libraries along that Playwright's own lacks; else Playwright's. Throws a StartError when nothing works.
 */
export async function ensureChromium(
  env: Pick<StartEnv, "dataDir" | "path" | "playwrightBrowsers" | "inherited">,
): Promise<void> {
  const log = logFile(env.dataDir, "install");
  const failures: string[] = [];
  if (await hasSystemChromium(env, log)) return;
  if (hasPlaywrightChromium(env.playwrightBrowsers)) return;
  if (canUseApt(env.path)) {
    const outcome = await aptInstall(["chromium"], { log, env: env.inherited });
    if (outcome.ok && (await hasSystemChromium(env, log))) return;
    if (!outcome.ok) failures.push(outcome.why);
  }
  say(`  downloading Playwright's Chromium (see ${log})`);
  const outcome = await runLogged(
    [process.execPath, join(root, "node_modules/playwright/cli.js"), "install", "chromium"],
    {
      log,
      env: env.inherited,
      timeoutMs: 600_000,
    },
  );
  if (outcome.ok) return;
  throw new StartError(
    `The browser tests need Chromium, which couldn't be installed. Install it (Debian, as root: apt-get install chromium).${because([...failures, outcome.why])}`,
  );
}

async function hasSystemChromium(env: { inherited: ChildEnv }, log: string): Promise<boolean> {
  for (const file of chromiumNames)
    if (existsSync(file) && (await works(file, ["--version", "--no-sandbox"], log, env.inherited)))
      return true;
  return false;
}

/** Playwright marks a browser as complete when all of it has arrived. */
function hasPlaywrightChromium(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const browsers = readdirSync(folder).filter((name) => /^chromium(_headless_shell)?-\d+$/.test(name));
  return browsers.some((name) => existsSync(join(folder, name, "INSTALLATION_COMPLETE")));
}
