import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { readStartEnv, root } from "./env.ts";
import { StartError } from "./say.ts";
import { nodeArgs } from "./services.ts";
import { ensureAnsible } from "./tools.ts";

/** Makes sure of Ansible, then runs a file of the checkout with this command's arguments and ends as that ends. */
export async function runWithAnsible(file: string): Promise<void> {
  try {
    const env = readStartEnv();
    mkdirSync(env.dataDir, { recursive: true });
    const { binDir } = await ensureAnsible(env);
    const child = spawn(process.execPath, [...nodeArgs(file), ...process.argv.slice(2)], {
      cwd: root,
      stdio: "inherit",
      env: { ...env.inherited, ...(binDir === undefined ? {} : { ANSIBLE_BIN_DIR: binDir }) },
    });
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
    child.once("exit", (code) => process.exit(code ?? 1));
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
