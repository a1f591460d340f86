import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Clock } from "#server/clock.ts";
import type { Env } from "#server/env.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { createDigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import type {
  JsonValue,
  PlaybookName,
  PlaybookRun,
  PlaybookRunner,
  PlaybookState,
} from "#server/providers/playbooks/playbooks.ts";
import type { Probe } from "#server/providers/probe.ts";
import { root } from "#start/env.ts";

/**
 * Playbooks and intranets that cost next to nothing, for hundreds of kills. All they know is on disk, so that it
 * outlives the worker as ansible-runner's folders and a droplet's disk do: a playbook really changes the data on the
 * droplet's disk in the local cloud's folder, with the real ansible/files/archive.py, and an intranet answers when its
 * name leads to a droplet that is on and on which it has been started. The transfer of backups stays the real one.
 */
export function standIns(at: {
  /** The local cloud's folder. */ cloud: string;
  /** Where what is known of each run is kept. */ runs: string;
}): Pick<Providers, "playbooks" | "probe"> {
  return { playbooks: createPlaybooks(at), probe: createProbe(at.cloud) };
}

/** The real client without its budget: the local cloud of a crash test has no limits, and is asked all the time. */
export function withoutBudget({ digitalocean }: Env, clock: Clock): Pick<Providers, "digitalocean"> {
  const ledger = { lease: (wanted: number) => ({ requests: wanted, waitMs: 0 }) };
  return { digitalocean: createDigitalOcean({ ...digitalocean, ...clock, ledger, budgetShare: 1 }) };
}

const runMs = 150;
const run = z.object({
  endsAt: z.number(),
  cancelled: z.boolean(),
  forgotten: z.boolean().default(false),
  error: z.string().optional(),
});
const machine = z.object({ address: z.string(), root: z.string() });
const app = z.object({
  isStarted: z.boolean(),
  version: z.string(),
  url: z.string(),
  variables: z.record(z.string(), z.string()),
});
const provisioning = z.object({
  version: z.string(),
  url: z.string(),
  company: z.string(),
  environment_variables: z.record(z.string(), z.string()),
});
const dumping = z.object({
  backup_id: z.string(),
  version: z.string(),
  stop: z.boolean(),
  missing_is_empty: z.boolean(),
  tidy_kept: z.array(z.string()),
  tidy_archives: z.array(z.string()),
});
const restoring = z.object({
  restore_id: z.string(),
  backup_id: z.string(),
  expected_tree: z.string(),
  leave_stopped: z.boolean(),
});
const goingBack = z.object({ restore_ids: z.array(z.string()) });

/** The disk of the droplet with this address; undefined while there is none. */
export function diskOf(cloud: string, address: string): string | undefined {
  const droplets = join(cloud, "droplets");
  for (const id of existsSync(droplets) ? readdirSync(droplets) : []) {
    const file = join(droplets, id, "machine.json");
    if (!existsSync(file)) continue;
    const known = machine.parse(JSON.parse(readFileSync(file, "utf8")));
    if (known.address === address) return known.root;
  }
  return undefined;
}

/** The posts of the intranet on this disk. */
export const postsFile = (disk: string): string => join(dataOn(disk), "posts.json");
const dataOn = (disk: string): string => join(disk, "data");

function createPlaybooks({ cloud, runs }: { cloud: string; runs: string }): PlaybookRunner {
  const fileOf = (key: string) => join(runs, `${key}.json`);
  const read = (key: string) =>
    existsSync(fileOf(key)) ? run.parse(JSON.parse(readFileSync(fileOf(key), "utf8"))) : undefined;

  return {
    async ensureRun({ key, playbook, host, vars }: PlaybookRun) {
      mkdirSync(runs, { recursive: true });
      if (read(key) !== undefined) return;
      const disk = diskOf(cloud, host.address);
      const error = disk === undefined ? "no such droplet" : playOn(disk, playbook, vars);
      const began = {
        endsAt: Date.now() + runMs,
        cancelled: false,
        ...(error === undefined ? {} : { error }),
      };
      write(fileOf(key), JSON.stringify(began));
    },
    async readRun(key, cursor) {
      const found = read(key);
      const state = stateOf(found);
      const line = (counter: number) => ({ at: Date.now(), line: `${counter}: ${found?.error ?? "ok"}` });
      const reached = state === "running" ? 1 : 2;
      return {
        state,
        cursor: reached,
        events: [1, 2].filter((counter) => counter > cursor && counter <= reached).map(line),
      };
    },
    // What was cancelled or forgotten before it began never begins.
    async cancelRun(key) {
      mkdirSync(runs, { recursive: true });
      const found = read(key);
      if (found === undefined || stateOf(found) === "running")
        write(fileOf(key), JSON.stringify({ endsAt: 0, ...found, cancelled: true }));
    },
    async forgetRun(key) {
      mkdirSync(runs, { recursive: true });
      const { cancelled = false } = read(key) ?? {};
      write(fileOf(key), JSON.stringify({ endsAt: 0, cancelled, forgotten: true }));
    },
    check: async () => ({ ok: true, userMessage: "Ready." }),
  };
}

function stateOf(found: z.infer<typeof run> | undefined): PlaybookState {
  if (found?.cancelled === true) return "cancelled";
  if (found === undefined || found.forgotten) return "lost";
  if (Date.now() < found.endsAt) return "running";
  return found.error === undefined ? "succeeded" : "failed";
}

/** What the playbook of this name does to a droplet; what it says when it cannot. Twice is once. */
function playOn(disk: string, playbook: PlaybookName, vars: Record<string, JsonValue>): string | undefined {
  try {
    tasks[playbook](disk, vars);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    giveToDroplet(disk);
  }
}

/** A real playbook's files belong to the droplet's user, and the next one reads them as that user. */
function giveToDroplet(disk: string): void {
  const { uid, gid } = statSync(disk);
  if (uid !== process.getuid?.()) execFileSync("chown", ["-hR", `${uid}:${gid}`, "--", disk]);
}

const tasks: Record<PlaybookName, (disk: string, vars: Record<string, JsonValue>) => void> = {
  provision: configure,
  reconfigure: configure,
  backup(disk, vars) {
    const { stop, ...given } = dumping.parse(vars);
    if (stop) setStarted(disk, false);
    try {
      archive(disk, "dump", "--id", given.backup_id, "--version", given.version, [
        ...(given.missing_is_empty ? ["--missing-is-empty"] : []),
        ...given.tidy_kept.flatMap((name) => ["--tidy-kept", name]),
        ...given.tidy_archives.flatMap((name) => ["--tidy-archive", name]),
      ]);
    } catch (error) {
      if (stop) setStarted(disk, true);
      throw error;
    }
  },
  restore(disk, vars) {
    const given = restoring.parse(vars);
    const before = ["--before", given.restore_id];
    archive(disk, "unpack", "--id", given.backup_id, "--tree", given.expected_tree, before);
    setStarted(disk, false);
    archive(disk, "swap", ...before);
    if (!given.leave_stopped) setStarted(disk, true);
  },
  unrestore(disk, vars) {
    setStarted(disk, false);
    archive(
      disk,
      "back",
      goingBack.parse(vars).restore_ids.flatMap((name) => ["--back", name]),
    );
    setStarted(disk, true);
  },
};

function configure(disk: string, vars: Record<string, JsonValue>): void {
  const { version, url, company, environment_variables } = provisioning.parse(vars);
  const variables = { COMPANY: company, ...environment_variables };
  if (!existsSync(postsFile(disk))) {
    mkdirSync(dataOn(disk), { recursive: true });
    write(postsFile(disk), "[]\n");
  }
  write(appOn(disk), JSON.stringify({ isStarted: true, version, url, variables }));
}

const appOn = (disk: string): string => join(disk, "app.json");

/** Starts or stops what was installed. */
function setStarted(disk: string, isStarted: boolean): void {
  if (!existsSync(appOn(disk))) return;
  const known = app.parse(JSON.parse(readFileSync(appOn(disk), "utf8")));
  write(appOn(disk), JSON.stringify({ ...known, isStarted }));
}

const archiveScript = join(root, "ansible", "files", "archive.py");

/** The script that the playbooks run, with the droplet's disk as its home. */
function archive(disk: string, command: string, ...args: (string | string[])[]): void {
  execFileSync("python3", [archiveScript, command, "--root", `files=${dataOn(disk)}`, ...args.flat()], {
    env: { ...process.env, HOME: join(disk, "root") },
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
}

/** Whole or not at all. */
function write(file: string, content: string | Buffer): void {
  writeFileSync(`${file}.${process.pid}`, content);
  renameSync(`${file}.${process.pid}`, file);
}

const cloudState = z.object({
  droplets: z.array(z.object({ address: z.string(), status: z.string(), deletedAt: z.number().nullable() })),
  domains: z.array(
    z.object({
      name: z.string(),
      records: z.array(z.object({ type: z.string(), name: z.string(), data: z.string() })),
    }),
  ),
});

function createProbe(cloud: string): Probe {
  /** What the droplet that this URL leads to has been given by its last playbook. */
  function appAt(url: string): z.infer<typeof app> | undefined {
    const { hostname } = new URL(url);
    const state = cloudState.parse(JSON.parse(readFileSync(join(cloud, "state.json"), "utf8")));
    const named = state.domains
      .flatMap(({ name, records }) =>
        records.map((record) => ({ ...record, host: `${record.name}.${name}` })),
      )
      .find(({ type, host }) => type === "A" && host === hostname)?.data;
    const address = named ?? hostname;
    const droplet = state.droplets.find((one) => one.address === address && one.deletedAt === null);
    const disk = droplet?.status === "active" ? diskOf(cloud, address) : undefined;
    if (disk === undefined) return undefined;
    if (!existsSync(appOn(disk))) return undefined;
    const found = app.parse(JSON.parse(readFileSync(appOn(disk), "utf8")));
    return found.isStarted ? found : undefined;
  }
  return {
    answer: async (url) => {
      const found = appAt(url);
      if (found === undefined) return { ok: false, ms: 1, userMessage: "Nothing answers there." };
      return { ok: true, status: 200, version: found.version, ms: 1, userMessage: "It answers." };
    },
    variablesInEffect: async (url, wanted) => {
      const found = appAt(url)?.variables ?? {};
      const wrong = wanted.filter(({ name, value }) => found[name] !== value);
      return wrong.length === 0 ? undefined : "It doesn't work with the new variables yet.";
    },
  };
}
