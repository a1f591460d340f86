import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ChildEnv, root } from "./env.ts";
import { runLogged } from "./install.ts";
import { waitForLock } from "./lock.ts";
import { lastLines, logFile } from "./logs.ts";
import { StartError, say, seconds } from "./say.ts";

const inputs = [
  "app/**",
  "server/**",
  "db/**",
  "public/**",
  "package-lock.json",
  "next.config.*",
  "postcss.config.*",
  "tsconfig.json",
];
const marker = join(root, ".next", "built-from.sha256");

/** What a build depends on, as one hash over names and contents. Tests are no part of it. */
function hashOfSources(folder: string): string {
  const files = globSync(inputs, { cwd: folder })
    .filter((file) => !/\.test\.tsx?$/.test(file) && statSync(join(folder, file)).isFile())
    .sort();
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(folder, file)))
      .update("\0");
  return hash.digest("hex");
}

/** Builds the web app unless the build that is there was made from the same sources. Throws a StartError with the reason. */
export async function buildWeb(env: ChildEnv, dataDir: string): Promise<void> {
  const folder = join(root, "node_modules", ".cache");
  mkdirSync(folder, { recursive: true });
  const lock = await waitForLock(join(folder, "next-build.lock"), (owner) =>
    say(`  waiting for process ${owner.pid} to build the web app`),
  );
  try {
    const hash = hashOfSources(root);
    if (existsSync(marker) && readFileSync(marker, "utf8") === hash) return;
    const since = Date.now();
    say("  building the web app (about 30 seconds, once per version)");
    const log = logFile(dataDir, "build");
    const next = join(root, "node_modules/next/dist/bin/next");
    const outcome = await runLogged([process.execPath, next, "build"], {
      log,
      cwd: root,
      env: { ...env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" },
      timeoutMs: 900_000,
    });
    if (!outcome.ok)
      throw new StartError(`The web app couldn't be built. The end of ${log}:\n${lastLines(log, 25)}`);
    writeFileSync(marker, hash);
    say(`  built the web app (${seconds(since)})`);
  } finally {
    lock.release();
  }
}
