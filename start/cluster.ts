import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chownSync, existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { z } from "zod";
import { endProcess, type Identity, identify } from "./identity.ts";
import { findFreePort, isPortFree } from "./ports.ts";
import {
  type Account,
  type Binaries,
  clusterFolder,
  makeClusterFolder,
  postgresAccount,
  postgresBinaries,
} from "./postgresPlace.ts";
import { StartError } from "./say.ts";

const settingsSchema = z.object({ port: z.number().int(), password: z.string().min(1) });

/** One PostgreSQL of ours: where it lies, how it is reached, and as whom it runs. */
export type Cluster = z.infer<typeof settingsSchema> & {
  folder: string;
  /** It lies outside the data folder, because its account cannot reach that. */
  moved: boolean;
  account: Account | undefined;
  binaries: Binaries;
  url: string;
};

const settingsFile = (folder: string): string => join(folder, "spawner.json");

/** Finds or makes the cluster of a data folder. Its port is kept for as long as it is free. */
export async function openCluster(dataDir: string): Promise<Cluster> {
  const account = postgresAccount();
  const binaries = await postgresBinaries(account);
  const place = clusterFolder(dataDir, account);
  if (place.moved) await removeCluster(join(dataDir, "postgres"));
  const kept = readSettings(place.folder);
  const isOurs =
    kept !== undefined &&
    (livingPostmaster(place.folder) !== undefined || (await isPortFree(kept.port, "127.0.0.1")));
  const port = isOurs ? kept.port : await findFreePort();
  const password = kept?.password ?? randomBytes(18).toString("base64url");
  const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
  const cluster: Cluster = { ...place, account, binaries, port, password, url };
  ensureInitialised(cluster);
  if (kept !== undefined && kept.port !== port) writeSettings(cluster);
  return cluster;
}

/** Removes one from before the data folder was closed to its account: nothing is in it that isn't in SQLite as well. */
async function removeCluster(folder: string): Promise<void> {
  const living = livingPostmaster(folder);
  if (living !== undefined) await endProcess(living, 8000, "SIGINT");
  rmSync(folder, { recursive: true, force: true });
}

/** Makes the cluster when its folder is not there or only half made: it holds nothing that is not in SQLite as well. */
export function ensureInitialised(cluster: Cluster): void {
  const { folder, account, binaries } = cluster;
  if (readSettings(folder)?.password === cluster.password && existsSync(join(folder, "PG_VERSION"))) {
    forgetDeadPostmaster(folder);
    return;
  }
  makeClusterFolder(folder, account);
  const passwordFile = join(tmpdir(), `spawner-${randomBytes(9).toString("hex")}`);
  writeFileSync(passwordFile, `${cluster.password}\n`, { mode: 0o600, flag: "wx" });
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  try {
    const args = [
      `--pgdata=${folder}`,
      "--username=postgres",
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
    ];
    const made = spawnSync(binaries.initdb, [...args, "--encoding=UTF8", "--locale=C", "--no-instructions"], {
      ...account,
      cwd: "/",
      encoding: "utf8",
    });
    if (made.status !== 0)
      throw new StartError(
        `PostgreSQL couldn't be set up in ${folder}: ${made.error?.message ?? made.stderr.trim()}. ` +
          "Set DATA_DIR to another folder, or DATABASE_URL to your own PostgreSQL.",
      );
  } finally {
    rmSync(passwordFile, { force: true });
  }
  writeSettings(cluster);
}

/** The arguments of `postgres`. Small, and quick to acknowledge: what a power cut loses is swept up again from SQLite. */
export function postgresArgs(cluster: Cluster): string[] {
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "60",
    shared_buffers: "32MB",
    synchronous_commit: "off",
    wal_level: "minimal",
    max_wal_senders: "0",
    min_wal_size: "32MB",
    max_wal_size: "256MB",
    jit: "off",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return ["-D", cluster.folder, "-p", String(cluster.port), ...flags];
}

/** The postmaster that runs on this folder, whoever started it. */
export function livingPostmaster(folder: string): Identity | undefined {
  const file = join(folder, "postmaster.pid");
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, "utf8").split("\n")[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  // After a reboot the id may be another process's: a postmaster was told its folder when it was started.
  if (process.platform === "linux" && !wasStartedOn(pid, folder)) return undefined;
  return identify(pid);
}

/**
 * Whether `-D folder` stands on the command line of a process. Everybody may read that; to see which folder a process
 * of another user works in takes CAP_SYS_PTRACE, which not even root has in a container.
 */
function wasStartedOn(pid: number, folder: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    const named = words[words.indexOf("-D") + 1];
    return words.includes("-D") && named !== undefined && realpathSync(named) === realpathSync(folder);
  } catch {
    return false;
  }
}

/** Postgres refuses to start when the id in its old note belongs to somebody else by now. */
function forgetDeadPostmaster(folder: string): void {
  if (livingPostmaster(folder) === undefined) rmSync(join(folder, "postmaster.pid"), { force: true });
}

/** Whether it answers a query. Never throws. */
export async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

function readSettings(folder: string): z.infer<typeof settingsSchema> | undefined {
  try {
    return settingsSchema.parse(JSON.parse(readFileSync(settingsFile(folder), "utf8")));
  } catch {
    return undefined;
  }
}

function writeSettings({ folder, port, password }: Cluster): void {
  writeFileSync(settingsFile(folder), `${JSON.stringify({ port, password })}\n`, { mode: 0o600 });
}
