import { execFile, spawnSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { chmod, copyFile, cp, lstat, mkdir, readdir, readlink, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { killProcessesOf } from "#local-cloud/droplet/leftProcesses.ts";

/** The account that a droplet's processes run as. */
export type Account = { uid: number; gid: number };

/**
 * What keeps a droplet away from the Spawner's own files and processes: a user of its own if this is root, or else the
 * namespaces that bubblewrap makes. Without either, whatever runs on a droplet runs as the Spawner.
 */
export type Isolation = "own-user" | "bubblewrap" | "none";

/** Where root's droplets live: their users can't reach what belongs to root alone. */
const reachable = "/var/lib/intranet-spawner";
/** User ids that neither people nor system services have; the second for machines with only 65,536 of them. */
const ranges = [
  { first: 0x7000_0000, size: 0x0fff_0000 },
  { first: 40_000, size: 19_000 },
];

const hashOf = (text: string): Buffer => createHash("sha256").update(text).digest();

type Means = {
  kind: Isolation;
  /** Whom a droplet's processes and disk belong to; undefined if it's who runs this. */
  account: (dropletId: number) => Account | undefined;
};

export type IsolationOfDroplets = Means & {
  /** Where droplets live, each in a folder of its own. */
  droplets: string;
  /** The Node.js that its programs run with. */
  node: string;
  /** Makes what is named here, and moves there what an earlier version kept elsewhere. */
  prepare: () => Promise<void>;
};

/** How the droplets whose state is in `folder` are kept apart, as far as this machine allows. Touches nothing. */
export function isolationOf(folder: string): IsolationOfDroplets {
  const means = meansFor(folder);
  const here = path.join(folder, "droplets");
  const elsewhere = path.join(reachable, `droplets-${hashOf(folder).toString("hex").slice(0, 16)}`);
  const droplets = means.kind === "own-user" ? elsewhere : here;
  const node = nodeFor(means.account(0));
  const prepare = async () => {
    if (means.kind === "own-user") await linkDroplets(here, droplets, means.account);
    else await mkdir(here, { recursive: true });
    if (node !== process.execPath) await copyNode(node);
  };
  return { ...means, droplets, node, prepare };
}

function meansFor(folder: string): Means {
  if (process.getuid?.() === 0) {
    const range = ranges.find(({ first, size }) => canBecome(first + size));
    if (range !== undefined) {
      const start = hashOf(folder).readUInt32BE(0);
      return {
        kind: "own-user",
        account: (dropletId) => {
          const uid = range.first + ((start + dropletId) % range.size);
          return { uid, gid: uid };
        },
      };
    }
  }
  const kind = hasBubblewrap() ? "bubblewrap" : "none";
  return { kind, account: () => undefined };
}

const canBecome = (uid: number): boolean => spawnSync("/bin/true", { uid, gid: uid }).status === 0;

const hasBubblewrap = (): boolean =>
  spawnSync("bwrap", [
    "--ro-bind",
    "/",
    "/",
    "--dev",
    "/dev",
    "--proc",
    "/proc",
    "--unshare-pid",
    "/bin/true",
  ]).status === 0;

/** In a sentence, for whoever starts the Spawner and for its settings. */
export const isolationMessage: Record<Isolation, string> = {
  "own-user": "Each droplet runs as a user of its own.",
  bubblewrap: "Droplets run in bubblewrap, without access to your home folder and the Spawner's data.",
  none: "Droplets run as your own user: whoever may set variables can run programs here. Install bubblewrap, or start as root.",
};

/** Whatever the umask says. */
async function makeReachable(): Promise<void> {
  await mkdir(reachable, { recursive: true });
  await chmod(reachable, 0o755);
}

/** Droplets with users of their own are `there`, which these can reach; `here` is a link to it. */
async function linkDroplets(here: string, there: string, account: Means["account"]): Promise<void> {
  await makeReachable();
  await mkdir(there, { recursive: true });
  await chmod(there, 0o711);
  const found = await lstat(here).catch(() => undefined);
  if (found?.isDirectory() === true) {
    await moveDroplets(here, there, account);
    await rm(here, { recursive: true });
  } else if (found?.isSymbolicLink() === true && (await readlink(here)) !== there) await rm(here);
  if ((await lstat(here).catch(() => undefined)) === undefined) await symlink(there, here);
}

/** From before droplets had users of their own, when they were all in the data folder. Twice is once. */
async function moveDroplets(here: string, there: string, account: Means["account"]): Promise<void> {
  for (const id of await readdir(here)) {
    const home = path.join(there, id);
    const disk = path.join(home, "disk");
    // What a killed predecessor left running.
    await killProcessesOf(path.join(here, id, "disk"));
    await cp(path.join(here, id), home, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
      filter: async (source) => !(await lstat(source)).isSocket(),
    });
    await chmod(home, 0o711);
    const owner = account(Number(id));
    if (owner === undefined || !existsSync(disk)) continue;
    await giveTo(owner, disk);
    await chmod(disk, 0o700);
  }
}

/** Gives a folder and all that is in it to an account, without following links. */
export async function giveTo({ uid, gid }: Account, folder: string): Promise<void> {
  await promisify(execFile)("chown", ["-hR", `${uid}:${gid}`, "--", folder]);
}

/** This Node.js as droplets can run it: itself, or a copy where their users can reach it. */
function nodeFor(account: Account | undefined): string {
  const { execPath } = process;
  if (account === undefined || spawnSync("test", ["-x", execPath], account).status === 0) return execPath;
  return path.join(reachable, `node-${process.version}-${process.arch}`, "node");
}

async function copyNode(file: string): Promise<void> {
  if (existsSync(file)) return;
  const folder = path.dirname(file);
  await makeReachable();
  await mkdir(folder, { recursive: true });
  await chmod(folder, 0o755);
  const half = `${file}.${randomUUID()}`;
  await copyFile(process.execPath, half, constants.COPYFILE_FICLONE);
  await chmod(half, 0o755);
  await rename(half, file);
}

const checkout = path.resolve(import.meta.dirname, "../..");

/** The command inside bubblewrap: it sees the system, the Spawner's code and `home`, and nothing else of its user's. */
export function inBubblewrap(command: readonly string[], at: { folder: string; home: string }): string[] {
  const hidden = [...new Set([homedir(), at.folder])].filter((folder) => folder !== "/");
  const shown = [...new Set([checkout, path.dirname(process.execPath)])];
  return [
    "bwrap",
    ...["--dev-bind", "/", "/", "--proc", "/proc", "--unshare-pid", "--unshare-ipc", "--die-with-parent"],
    ...hidden.flatMap((folder) => ["--tmpfs", folder]),
    ...shown.flatMap((folder) => ["--ro-bind", folder, folder]),
    ...["--bind", at.home, at.home],
    "--",
    ...command,
  ];
}
