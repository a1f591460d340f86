import { spawn } from "node:child_process";
import { readStartEnv, root } from "./env.ts";
import { nodeArgs } from "./services.ts";

/** Runs the simulation: it needs nothing but the packages. */
const child = spawn(process.execPath, [...nodeArgs("simulation/simulate.ts"), ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: readStartEnv().inherited,
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill(signal));
child.once("exit", (code) => process.exit(code ?? 1));
