import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ProviderError } from "#server/providers/errors.ts";
import { type AnsibleRunnerOptions, BEGAN, type PlaybookCommand, playbookEnvironment } from "./command.ts";

/** Exit status of the shell's guard: the run had begun or was cancelled before. */
const BEGAN_BEFORE = 75;

/** What the name of a folder begins with that is not a run yet. */
export const DRAFT = ".draft-";

/**
 * Makes the run's folder, whole or not at all: it is written beside its place and then renamed. A folder that
 * is there already stays as it is.
 */
export async function prepareRun(
  command: Pick<PlaybookCommand, "cwd" | "folders" | "files" | "links">,
  runsDir: string,
): Promise<void> {
  await mkdir(runsDir, { recursive: true, mode: 0o700 });
  const draft = join(runsDir, `${DRAFT}${randomBytes(8).toString("hex")}`);
  await mkdir(draft, { mode: 0o700 });
  try {
    for (const folder of command.folders) await mkdir(join(draft, folder), { mode: 0o700 });
    for (const { path, content } of command.files) {
      await mkdir(join(draft, dirname(path)), { recursive: true, mode: 0o700 });
      await writeFile(join(draft, path), content, { mode: 0o600 });
    }
    for (const { path, target } of command.links) await symlink(target, join(draft, path));
    await rename(draft, command.cwd);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return;
    throw new ProviderError({
      userMessage:
        "The playbook run couldn't be prepared on the Spawner's disk. Check that it has free space, then try again.",
      detail: `Preparing ${command.cwd}: ${codeOf(error) ?? String(error)}`,
      retryable: true,
    });
  }
}

/** Starts the prepared run unless it has begun, and resolves when it has detached from this process. */
export async function startRun(command: PlaybookCommand): Promise<void> {
  // A file, not a pipe: the run must not end with its reader.
  const output = await open(join(command.cwd, "start.log"), "a", 0o600);
  try {
    const status = await exitStatus(command, output.fd);
    if (status === 0) return;
    const began = await mkdir(join(command.cwd, BEGAN)).then(
      () => false,
      (error: unknown) => codeOf(error) === "EEXIST",
    );
    if (status === BEGAN_BEFORE && began) return;
    // Nothing runs, so that the key is free to begin again.
    await rmdir(join(command.cwd, BEGAN)).catch(() => undefined);
    const said = await readFile(join(command.cwd, "start.log"), "utf8").catch(() => "");
    throw new ProviderError({
      userMessage:
        "Ansible couldn't be started on the Spawner's machine. Check the playbook runner on the Settings page, then try again.",
      detail: `ansible-runner start exited with ${status}: ${said.trim().slice(-1000)}`,
      retryable: true,
    });
  } finally {
    await output.close();
  }
}

/** `ansible-runner stop`: kills the runner. What it started is left to the caller. */
export async function stopRunner(folder: string, options: AnsibleRunnerOptions): Promise<void> {
  const file = options.binDir === undefined ? "ansible-runner" : join(options.binDir, "ansible-runner");
  const env = playbookEnvironment(options);
  // Its result does not matter: a run whose process is gone already cannot be stopped.
  await exitStatus({ file, args: ["stop", folder], env, cwd: folder }, "ignore").catch(() => undefined);
}

function exitStatus(
  command: Pick<PlaybookCommand, "file" | "args" | "env" | "cwd">,
  output: number | "ignore",
): Promise<number | string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command.file, command.args, {
      cwd: command.cwd,
      // Exactly these: nothing of this process's environment, which holds secrets. (Next makes NODE_ENV
      // a required member of the type.)
      env: { ...command.env } as NodeJS.ProcessEnv,
      // A session of its own: signals meant for this process do not reach it.
      detached: true,
      stdio: ["ignore", output, output],
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
