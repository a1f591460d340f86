import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { Providers } from "../server/operations/definition.ts";
import type {
  JsonValue,
  PlaybookName,
  PlaybookRun,
  PlaybookRunner,
  PlaybookState,
} from "../server/providers/playbooks/playbooks.ts";
import type { Probe } from "../server/providers/probe.ts";

/**
 * Playbooks and intranets that cost next to nothing, for hundreds of kills. All they know is on disk, so that it
 * outlives the worker as ansible-runner's folders and a droplet's disk do: a playbook really changes the data on the
 * droplet's disk in the local cloud's folder, by the rules of ansible/files/archive.py, and an intranet answers when
 * its name leads to a droplet that is on and has been provisioned. The transfer of backups stays the real one.
 */
export function standIns(at: {
  /** The local cloud's folder. */ cloud: string;
  /** Where what is known of each run is kept. */ runs: string;
}): Pick<Providers, "playbooks" | "probe"> {
  return { playbooks: createPlaybooks(at), probe: createProbe(at.cloud) };
}

const runMs = 150;
const run = z.object({ endsAt: z.number(), cancelled: z.boolean(), error: z.string().optional() });
const machine = z.object({ address: z.string(), root: z.string() });
const app = z.object({ version: z.string(), url: z.string(), variables: z.record(z.string(), z.string()) });
const provisioning = z.object({
  version: z.string(),
  url: z.string(),
  environment_variables: z.record(z.string(), z.string()),
});
const dumping = z.object({ backup_id: z.string(), version: z.string() });
const restoring = z.object({
  restore_id: z.string(),
  backup_id: z.string().optional(),
  version: z.string(),
  url: z.string(),
});

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
export const postsFile = (disk: string): string => join(disk, "posts.json");

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
    async cancelRun(key) {
      const found = read(key);
      if (found !== undefined && stateOf(found) === "running")
        write(fileOf(key), JSON.stringify({ ...found, cancelled: true }));
    },
    async forgetRun(key) {
      rmSync(fileOf(key), { force: true });
    },
    check: async () => ({ ok: true, sentence: "Ready." }),
  };
}

function stateOf(found: z.infer<typeof run> | undefined): PlaybookState {
  if (found === undefined) return "lost";
  if (found.cancelled) return "cancelled";
  if (Date.now() < found.endsAt) return "running";
  return found.error === undefined ? "succeeded" : "failed";
}

/** What the playbook of this name does to a droplet; an error when it cannot. Twice is once. */
function playOn(disk: string, playbook: PlaybookName, vars: Record<string, JsonValue>): string | undefined {
  const posts = postsFile(disk);
  switch (playbook) {
    case "provision":
    case "reconfigure": {
      const { version, url, environment_variables: variables } = provisioning.parse(vars);
      write(join(disk, "app.json"), JSON.stringify({ version, url, variables }));
      if (!existsSync(posts)) write(posts, "[]\n");
      return undefined;
    }
    case "backup": {
      const { backup_id: id, version } = dumping.parse(vars);
      dump(disk, id, version);
      return undefined;
    }
    case "restore": {
      const { restore_id: restoreId, backup_id: backupId = "", ...now } = restoring.parse(vars);
      const archive = join(backupsOn(disk), `${backupId}.tar.gz`);
      if (!existsSync(archive)) return "the backup is not on the droplet";
      if (!existsSync(`${posts}.before-${restoreId}`)) {
        const content = execFileSync("tar", ["-xzO", "-f", archive, "files/posts.json"], {
          encoding: "utf8",
        });
        write(`${posts}.new`, content);
        renameSync(posts, `${posts}.before-${restoreId}`);
        renameSync(`${posts}.new`, posts);
      }
      writeVersion(disk, now);
      return undefined;
    }
    case "unrestore": {
      const { restore_id: restoreId, ...before } = restoring.parse(vars);
      if (existsSync(`${posts}.before-${restoreId}`)) renameSync(`${posts}.before-${restoreId}`, posts);
      writeVersion(disk, before);
      return undefined;
    }
  }
}

/** The same droplet with another version; its variables stay. */
function writeVersion(disk: string, { version, url }: { version: string; url: string }): void {
  const file = join(disk, "app.json");
  const known = existsSync(file) ? app.parse(JSON.parse(readFileSync(file, "utf8"))) : { variables: {} };
  write(file, JSON.stringify({ ...known, version, url }));
}

const backupsOn = (disk: string): string => join(disk, "root", "backups");

function dump(disk: string, id: string, version: string): void {
  const folder = mkdtempSync(join(tmpdir(), "spawner-dump-"));
  mkdirSync(join(folder, "files"));
  const content = readFileSync(postsFile(disk));
  writeFileSync(join(folder, "files", "posts.json"), content);
  const archive = execFileSync("tar", ["-cz", "-C", folder, "files/posts.json"]);
  rmSync(folder, { recursive: true });
  mkdirSync(backupsOn(disk), { recursive: true });
  write(join(backupsOn(disk), `${id}.tar.gz`), archive);
  const sha256 = createHash("sha256").update(archive).digest("hex");
  const tree = createHash("sha256").update(content).digest("hex");
  const manifest = {
    takenAt: Date.now(),
    version,
    archive: { bytes: archive.length, sha256 },
    contents: { files: 1, bytes: content.length, tree, counts: { posts: 1 } },
  };
  write(join(backupsOn(disk), `${id}.json`), JSON.stringify(manifest));
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
    const file = join(disk, "app.json");
    return existsSync(file) && statSync(file).size > 0
      ? app.parse(JSON.parse(readFileSync(file, "utf8")))
      : undefined;
  }
  return {
    answer: async (url) => {
      const found = appAt(url);
      if (found === undefined) return { ok: false, ms: 1, sentence: "Nothing answers there." };
      return { ok: true, status: 200, version: found.version, ms: 1, sentence: "It answers." };
    },
    variablesInEffect: async (url, wanted) => {
      const found = appAt(url)?.variables ?? {};
      const wrong = wanted.filter(({ name, value }) => found[name] !== value);
      return wrong.length === 0 ? undefined : "It does not work with the new variables yet.";
    },
  };
}
