import { type ChildProcess, execFile, spawn } from "node:child_process";
import { closeSync, constants, openSync } from "node:fs";
import { chmod, chown, cp, lstat, mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import ssh2 from "ssh2";
import { kill, killProcessesOf } from "#local-cloud/droplet/leftProcesses.ts";
import type { MachineFile } from "#local-cloud/droplet/machineFile.ts";
import { writeFileAtomically } from "./files.ts";
import { giveTo, type IsolationOfDroplets, inBubblewrap } from "./isolation.ts";
import type { Droplet } from "./state.ts";

const run = promisify(execFile);

type Machine = { child: ChildProcess; wanted: boolean; startedAt: number };

export type Machines = ReturnType<typeof createMachines>;

/**
 * Folders and processes of droplets and snapshots:
 * `droplets/<id>/{machine.json, host_key, pid, console.log, disk/}` and `snapshots/<image id>/`.
 * Everything about one droplet happens in turn.
 */
export function createMachines(config: {
  folder: string;
  isolation: IsolationOfDroplets;
  sshPort: number;
  webPort: number;
  releasesUrl: () => string;
}) {
  const running = new Map<number, Machine>();
  const removed = new Set<number>();
  const turns = new Map<number, Promise<unknown>>();
  let closed = false;

  const { isolation } = config;
  const home = (id: number): string => path.join(isolation.droplets, String(id));
  const disk = (id: number): string => path.join(home(id), "disk");
  const snapshot = (imageId: number): string => path.join(config.folder, "snapshots", String(imageId));

  function inTurn<Result>(id: number, work: () => Promise<Result>): Promise<Result> {
    const next = (turns.get(id) ?? Promise.resolve()).catch(() => undefined).then(work);
    turns.set(id, next);
    return next;
  }

  const killAllOf = (id: number) => killProcessesOf(disk(id), isolation.account(id)?.uid);

  /** A new disk: empty, or a copy of a snapshot. Appears as a whole. */
  async function makeDisk(id: number, imageId: number | undefined): Promise<void> {
    const account = isolation.account(id);
    await mkdir(home(id), { recursive: true });
    // Its user passes through to the disk, and reads nothing else here.
    if (account !== undefined) await chmod(home(id), 0o711);
    await rm(`${disk(id)}.new`, { recursive: true, force: true });
    if (imageId === undefined) await mkdir(`${disk(id)}.new`, { recursive: true });
    else await copyDisk(snapshot(imageId), `${disk(id)}.new`);
    if (account !== undefined) {
      await giveTo(account, `${disk(id)}.new`);
      await chmod(`${disk(id)}.new`, 0o700);
    }
    await rm(disk(id), { recursive: true, force: true });
    await rename(`${disk(id)}.new`, disk(id));
  }

  async function makeHostKey(id: number): Promise<void> {
    let pair = newHostKey(id);
    // ssh2 drops leading zero bytes: about one pair in 150 cannot be read back.
    while (
      ssh2.utils.parseKey(pair.private) instanceof Error ||
      ssh2.utils.parseKey(pair.public) instanceof Error
    )
      pair = newHostKey(id);
    await writeFile(path.join(home(id), "host_key"), pair.private, { mode: 0o600 });
    await writeFile(path.join(home(id), "host_key.pub"), `${pair.public}\n`);
  }

  async function launch(droplet: Droplet, bootAt: number): Promise<void> {
    const { id } = droplet;
    if (closed || removed.has(id) || running.has(id)) return;
    await killAllOf(id);
    const account = isolation.account(id);
    const machine: MachineFile = {
      id,
      name: droplet.name,
      root: disk(id),
      hostKeyFile: path.join(home(id), "host_key"),
      address: droplet.address,
      sshPort: config.sshPort,
      webPort: config.webPort,
      releasesUrl: config.releasesUrl(),
      authorizedKeys: droplet.keys,
      bootAt,
      sshRefused: droplet.faults.includes("ssh-refused"),
      node: isolation.node,
      ...(account === undefined ? {} : { account }),
    };
    const file = path.join(home(id), "machine.json");
    await writeFileAtomically(file, JSON.stringify(machine));
    if (closed || removed.has(id)) return;
    const console = openSync(path.join(home(id), "console.log"), "a", 0o600);
    // A small heap: there may be many droplets. A group of its own: Ctrl-C reaches the cloud, which
    // then takes its droplets down in order.
    const command = [
      process.execPath,
      "--max-old-space-size=64",
      "--max-semi-space-size=1",
      path.join(import.meta.dirname, "../droplet/droplet.ts"),
      file,
    ];
    const [program = "", ...argv] =
      isolation.kind === "bubblewrap"
        ? inBubblewrap(command, { folder: config.folder, home: home(id) })
        : command;
    const child = spawn(program, argv, {
      cwd: home(id),
      detached: true,
      env: {
        PATH: "/usr/bin:/bin",
        NODE_ENV: "production",
        DROPLET_ROOT: disk(id),
        // Compiled once for all droplets, types stripped: each of them starts faster and stays smaller.
        NODE_COMPILE_CACHE: path.join(config.folder, "compiled"),
      },
      stdio: ["ignore", console, console, "ipc"],
    });
    closeSync(console);
    const entry: Machine = { child, wanted: true, startedAt: Date.now() };
    running.set(id, entry);
    child.on("error", () => undefined);
    child.once("exit", () => {
      if (running.get(id) === entry) running.delete(id);
      if (!entry.wanted || closed) return;
      // Not switched off by anybody: the host brings it up again.
      const pause = Date.now() - entry.startedAt > 10_000 ? 200 : 2_000;
      setTimeout(() => {
        if (entry.wanted && !closed) void inTurn(id, () => launch(droplet, 0)).catch(() => undefined);
      }, pause).unref();
    });
  }

  async function halt(id: number, inGoodOrder: boolean): Promise<void> {
    const entry = running.get(id);
    if (entry !== undefined) {
      entry.wanted = false;
      running.delete(id);
      const { child } = entry;
      if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
        const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
        // The end of its power supply, as the droplet sees it. A signal would reach its bubblewrap only.
        if (inGoodOrder && child.connected) child.disconnect();
        else child.kill("SIGKILL");
        const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
        await exited;
        clearTimeout(timer);
        kill(-child.pid, "SIGKILL");
      }
    }
    await killAllOf(id);
  }

  /** A copy of a disk that may change meanwhile, made by the droplet's own user: links on it lead root nowhere. */
  async function copyAsOwner(id: number, to: string): Promise<void> {
    const account = isolation.account(id);
    if (account === undefined) return copyDisk(disk(id), to);
    const half = path.join(home(id), "snapshot");
    for (let attempt = 1; ; attempt += 1) {
      await rm(half, { recursive: true, force: true });
      await mkdir(half, { mode: 0o700 });
      await chown(half, account.uid, account.gid);
      try {
        await run("cp", ["-a", "--reflink=auto", `${disk(id)}/.`, half], { ...account, cwd: "/" });
        break;
      } catch (error) {
        // A running system may change under the copy.
        if (attempt === 5) throw error;
      }
    }
    await giveTo({ uid: 0, gid: 0 }, half);
    await copyDisk(half, to);
    await rm(half, { recursive: true });
  }

  return {
    /** Makes folder, disk and host key of a new droplet; what is there already stays. */
    prepare: (id: number, imageId: number | undefined) =>
      inTurn(id, async () => {
        if (removed.has(id) || (await exists(disk(id)))) return;
        await makeDisk(id, imageId);
        await makeHostKey(id);
      }),
    /** Starts the droplet's process; it answers from `bootAt` (epoch ms, 0 = at once). */
    start: (droplet: Droplet, bootAt: number) => inTurn(droplet.id, () => launch(droplet, bootAt)),
    stop: (id: number, inGoodOrder: boolean) => inTurn(id, () => halt(id, inGoodOrder)),
    /** Replaces the disk of a droplet that is off. A fresh system has a fresh host key, a restored one its old. */
    replaceDisk: (id: number, imageId: number | undefined) =>
      inTurn(id, async () => {
        await makeDisk(id, imageId);
        if (imageId === undefined) await makeHostKey(id);
      }),
    remove: (id: number) => {
      removed.add(id);
      return inTurn(id, async () => {
        await halt(id, false);
        await rm(home(id), { recursive: true, force: true });
      });
    },
    /** Copies the disk, running or not, into a snapshot; answers its size in bytes. */
    takeSnapshot: (id: number, imageId: number) =>
      inTurn(id, async () => {
        const target = snapshot(imageId);
        await rm(`${target}.new`, { recursive: true, force: true });
        await copyAsOwner(id, `${target}.new`);
        await rename(`${target}.new`, target);
        return sizeOf(target);
      }),
    removeSnapshot: (imageId: number) => rm(snapshot(imageId), { recursive: true, force: true }),
    /** Removes folders nobody knows any more (a crash between a delete and its end) and their processes. */
    async sweep(droplets: readonly number[], images: readonly number[]): Promise<void> {
      for (const name of await entries(isolation.droplets)) {
        const folder = path.join(isolation.droplets, name);
        await killProcessesOf(path.join(folder, "disk"), isolation.account(Number(name))?.uid);
        if (!droplets.map(String).includes(name)) await rm(folder, { recursive: true, force: true });
      }
      for (const name of await entries(path.join(config.folder, "snapshots"))) {
        if (images.map(String).includes(name)) continue;
        await rm(path.join(config.folder, "snapshots", name), { recursive: true, force: true });
      }
    },
    isRunning: (id: number): boolean => running.has(id),
    /** Takes every droplet down in good order. */
    async close(): Promise<void> {
      closed = true;
      await Promise.all([...running.keys()].map((id) => halt(id, true)));
      await Promise.allSettled([...turns.values()]);
    },
  };
}

async function entries(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

async function exists(file: string): Promise<boolean> {
  return lstat(file).then(
    () => true,
    () => false,
  );
}

/** Copies a disk without what lives only while it runs. A running system may change under the copy: again, then. */
async function copyDisk(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    try {
      await rm(to, { recursive: true, force: true });
      await cp(from, to, {
        recursive: true,
        verbatimSymlinks: true,
        preserveTimestamps: true,
        mode: constants.COPYFILE_FICLONE,
        filter: async (source) => {
          const inside = path.relative(from, source);
          if (/^(run|tmp)[/\\]/.test(inside)) return false;
          const info = await lstat(source);
          return info.isFile() || info.isDirectory() || info.isSymbolicLink();
        },
      });
      await chmod(to, 0o755);
      return;
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

async function sizeOf(folder: string): Promise<number> {
  let total = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) total += (await lstat(path.join(entry.parentPath, entry.name))).size;
  }
  return total;
}

const newHostKey = (id: number) => ssh2.utils.generateKeyPairSync("ed25519", { comment: `droplet-${id}` });
