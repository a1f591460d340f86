import { spawn } from "node:child_process";
import { closeSync } from "node:fs";
import pg from "pg";
import {
  answers,
  type Cluster,
  ensureInitialised,
  livingPostmaster,
  openCluster,
  postgresArgs,
} from "./cluster.ts";
import { endProcess, identify } from "./identity.ts";
import { lastLines, logFile, openLog } from "./logs.ts";
import { StartError } from "./say.ts";
import type { ProcessPlan } from "./supervise.ts";

export type Postgres = { url: string; stop(): Promise<void> };

/**
 * Starts the PostgreSQL of a data folder, or takes over the one that runs there already because its starter was killed.
 * `log` is told what happens, in lines. Throws a StartError with the last lines of its log when it does not come up.
 */
export async function startPostgres(options: {
  dataDir: string;
  log: (line: string) => void;
}): Promise<Postgres> {
  const cluster = await openCluster(options.dataDir);
  const living = livingPostmaster(cluster.folder);
  const file = logFile(options.dataDir, "postgres");
  let postmaster = living;
  if (living !== undefined) options.log(`PostgreSQL is already running (process ${living.pid})`);
  else {
    const { handle } = openLog(file);
    const child = spawn(cluster.binaries.postgres, postgresArgs(cluster), {
      ...cluster.account,
      cwd: cluster.folder,
      stdio: ["ignore", handle, handle],
      detached: true,
    });
    closeSync(handle);
    // Without a process id the wait below ends with the reason.
    child.once("error", (error) => options.log(error.message));
    child.unref();
    postmaster = child.pid === undefined ? undefined : identify(child.pid);
  }
  const since = Date.now();
  while (!(await answers(cluster.url))) {
    if (
      postmaster === undefined ||
      identify(postmaster.pid)?.startTime !== postmaster.startTime ||
      Date.now() - since > 60_000
    )
      throw new StartError(`PostgreSQL doesn't start. The end of ${file}:\n${lastLines(file)}`);
    await new Promise((done) => setTimeout(done, 25));
  }
  return {
    url: cluster.url,
    async stop() {
      if (postmaster !== undefined) await endProcess(postmaster, 8000, "SIGINT");
    },
  };
}

/** Makes a database in the cluster at `url` and returns its own URL. */
export async function createDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`create database ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
  const address = new URL(url);
  address.pathname = `/${encodeURIComponent(name)}`;
  return address.href;
}

/**
 * PostgreSQL as one of the supervised processes. A predecessor's, which lives on when its supervisor was killed, is
 * ended first: that takes a tenth of a second, and from then on it is watched like the others.
 */
export function postgresPlan(cluster: Cluster, dataDir: string, onBackAgain: () => void): ProcessPlan {
  return {
    name: "postgres",
    file: cluster.binaries.postgres,
    args: postgresArgs(cluster),
    cwd: "/",
    env: { NODE_ENV: "production", LC_ALL: "C", PATH: "/usr/bin:/bin" },
    log: logFile(dataDir, "postgres"),
    ...cluster.account,
    ownGroup: true,
    stopSignal: "SIGINT",
    async prepare() {
      const living = livingPostmaster(cluster.folder);
      if (living !== undefined) await endProcess(living, 8000, "SIGINT");
      ensureInitialised(cluster);
    },
    isReady: () => answers(cluster.url),
    onBackAgain,
  };
}
