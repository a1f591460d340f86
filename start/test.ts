import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type ChildEnv, readStartEnv, root } from "./env.ts";
import { type Counts, playwrightCounts, readReport, vitestCounts } from "./reports.ts";
import { reasonOf, say } from "./say.ts";
import { ensureAnsible, ensureChromium } from "./tools.ts";

type Check = { title: string; command: readonly [string, ...string[]]; count: (isGood: boolean) => Counts };

const one = (isGood: boolean): Counts => ({ passed: isGood ? 1 : 0, failed: isGood ? 0 : 1, skipped: 0 });
const bin = (name: string): string => join(root, "node_modules", ".bin", name);
const reports = { unit: join(root, "test-results/unit.json"), e2e: join(root, "test-results/e2e.json") };

/** The whole check, in order. What fails does not keep the rest from being tried. */
const checks: readonly Check[] = [
  { title: "Format, lint and imports", command: [bin("biome"), "ci", "."], count: one },
  {
    title: "Unused files, exports and dependencies",
    command: [bin("knip"), "--no-progress", "--no-config-hints"],
    count: one,
  },
  { title: "Types", command: [bin("tsc"), "--noEmit"], count: one },
  {
    title: "Unit tests",
    command: [
      bin("vitest"),
      "run",
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${reports.unit}`,
    ],
    count: (isGood) => readReport(reports.unit, vitestCounts, isGood),
  },
  {
    title: "Browser tests",
    command: [bin("playwright"), "test", "--config", "e2e/playwright.config.ts"],
    count: (isGood) => readReport(reports.e2e, playwrightCounts, isGood),
  },
];

/** Runs a command to its end in the foreground. Resolves with whether it ended well. */
function run(command: readonly [string, ...string[]], env: ChildEnv): Promise<boolean> {
  const [file, ...args] = command;
  return new Promise((done) => {
    const child = spawn(file, args, { cwd: root, stdio: "inherit", env });
    const forward = (signal: NodeJS.Signals): void => {
      child.kill(signal);
      child.once("exit", () => process.exit(130));
    };
    process.once("SIGINT", forward).once("SIGTERM", forward);
    const end = (isGood: boolean): void => {
      process.off("SIGINT", forward).off("SIGTERM", forward);
      done(isGood);
    };
    child.once("error", (error) => {
      say(error.message);
      end(false);
    });
    child.once("exit", (code) => end(code === 0));
  });
}

const env = readStartEnv();
mkdirSync(env.dataDir, { recursive: true });
rmSync(join(root, "test-results"), { recursive: true, force: true });
mkdirSync(join(root, "test-results"), { recursive: true });

let binDir: string | undefined;
const total: Counts = { passed: 0, failed: 0, skipped: 0 };
// Without a tool the tests that need it fail and say so; the others still tell what they can.
const missing = (error: unknown): void => {
  say(reasonOf(error));
};
await ensureAnsible(env).then((ansible) => {
  binDir = ansible.binDir;
}, missing);
await ensureChromium(env).catch(missing);

const childEnv: ChildEnv = {
  ...env.inherited,
  NODE_ENV: "test",
  ...(binDir === undefined ? {} : { ANSIBLE_BIN_DIR: binDir }),
  E2E_REPORT: reports.e2e,
};
for (const check of checks) {
  say(`\n── ${check.title}`);
  const counts = check.count(await run(check.command, childEnv));
  for (const key of ["passed", "failed", "skipped"] as const) total[key] += counts[key];
}
const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
say(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 ? 0 : 1;
