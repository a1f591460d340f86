import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { BackupStore } from "#server/providers/backups/backups.ts";
import type { Transfer } from "#server/providers/backups/transfer.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import { checkVariables } from "#server/providers/playbooks/variables.ts";

type Packed = { content: Buffer; bytes: number; sha256: string; posts: readonly string[] };

/** Every archive that a test has packed, by its posts: packing takes a process each. */
const packed = new Map<string, Packed>();

function pack(posts: readonly string[]): Packed {
  const text = JSON.stringify(posts);
  const known = packed.get(text);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), "spawner-archive-"));
  mkdirSync(join(folder, "files"));
  writeFileSync(join(folder, "files", "posts.json"), text);
  const content = execFileSync("tar", ["-cz", "-C", folder, "files/posts.json"]);
  rmSync(folder, { recursive: true });
  const sha256 = createHash("sha256").update(content).digest("hex");
  const fresh = { content, bytes: content.length, sha256, posts: [...posts] };
  packed.set(text, fresh);
  return fresh;
}

async function read(content: Readable): Promise<{ bytes: number; sha256: string }> {
  const digest = createHash("sha256");
  let bytes = 0;
  for await (const part of content) {
    digest.update(part);
    bytes += part.length;
  }
  return { bytes, sha256: digest.digest("hex") };
}

const postsOf = (sha256: string) => [...packed.values()].find((one) => one.sha256 === sha256)?.posts ?? [];

/** The posts in a stored archive. */
export async function postsIn(store: BackupStore, key: string): Promise<readonly string[]> {
  return postsOf((await read(await store.get(key))).sha256);
}

/**
 * For tests: a droplet whose playbooks change data by the rules of archive.py, and an intranet that takes posts while
 * it is up. Playbooks have their whole effect when they are begun.
 */
export function createDataDroplet(version: string) {
  const runs = new Map<string, boolean>();
  const archives = new Map<string, readonly string[]>();
  const kept = new Map<string, string[]>();
  const acknowledged: string[] = [];
  const droplet = {
    posts: [] as string[],
    kept,
    isUp: true,
    version,
    /** Versions that come up and never answer. */
    broken: new Set<string>(),
    acknowledged,
    archives,
    /** The version that last opened the data; unknown once the data has been replaced. */
    openedBy: undefined as string | undefined,
    /** Each start of a version on data that a newer one had opened. */
    openedByOlder: [] as string[],
    post(text: string): void {
      if (!droplet.isUp) return;
      droplet.posts.push(text);
      acknowledged.push(text);
    },
  };

  const effects: Record<string, (vars: Record<string, unknown>) => boolean> = {
    provision: ({ version: next }) => {
      droplet.version = String(next);
      droplet.isUp = true;
      const { openedBy = "", version } = droplet;
      if (openedBy > version) droplet.openedByOlder.push(`${version} after ${openedBy}`);
      droplet.openedBy = version;
      return true;
    },
    backup: ({ backup_id, stop, tidy_kept, tidy_archives }) => {
      if (stop === true) droplet.isUp = false;
      for (const name of names(tidy_kept)) kept.delete(name);
      for (const name of names(tidy_archives)) archives.delete(name);
      archives.set(String(backup_id), [...droplet.posts]);
      return true;
    },
    restore: ({ backup_id, restore_id, leave_stopped }) => {
      const posts = archives.get(String(backup_id));
      if (posts === undefined) return false;
      droplet.isUp = false;
      if (!kept.has(String(restore_id))) {
        kept.set(String(restore_id), droplet.posts);
        droplet.posts = [...posts];
        droplet.openedBy = undefined;
      }
      droplet.isUp = leave_stopped !== true;
      return true;
    },
    unrestore: ({ restore_ids }) => {
      for (const name of names(restore_ids)) {
        droplet.posts = kept.get(name) ?? droplet.posts;
        kept.delete(name);
      }
      droplet.isUp = true;
      return true;
    },
  };

  const playbooks: PlaybookRunner = {
    ensureRun: async ({ key, playbook, vars }) => {
      if (!runs.has(key)) runs.set(key, effects[playbook]?.(checkVariables(playbook, vars)) ?? true);
    },
    readRun: async (key) => ({
      state: runs.get(key) === true ? "succeeded" : "failed",
      cursor: 1,
      events: [],
    }),
    cancelRun: async () => {},
    forgetRun: async () => {},
    check: async () => ({ ok: true, userMessage: "Ready." }),
  };

  const idOf = (path: string) => /([^/]+)\.(tar\.gz|json)$/.exec(path)?.[1] ?? "";
  const archiveAt = (path: string) => {
    const posts = archives.get(idOf(path));
    if (posts === undefined) throw new Error(`${path} is not on the droplet`);
    return pack(posts);
  };
  const transfer: Transfer = {
    readTextFile: async (_host, path) => {
      const { bytes, sha256, posts } = archiveAt(path);
      const tree = createHash("sha256").update(JSON.stringify(posts)).digest("hex");
      return JSON.stringify({
        takenAt: 1,
        version: droplet.version,
        archive: { bytes, sha256 },
        contents: { files: 1, bytes: 3, tree, counts: { posts: posts.length } },
      });
    },
    fetchFile: async (_host, path, store, key) => store.put(key, Readable.from([archiveAt(path).content])),
    sendFile: async (store, key, _host, path) => {
      const sent = await read(await store.get(key));
      archives.set(idOf(path), postsOf(sent.sha256));
      return sent;
    },
    removeFiles: async (_host, paths) => {
      for (const path of paths) archives.delete(idOf(path));
    },
  };

  const answer = async () =>
    droplet.isUp && !droplet.broken.has(droplet.version)
      ? { ok: true as const, status: 200, version: droplet.version, ms: 5, userMessage: "It answers." }
      : { ok: false as const, ms: 1, userMessage: "Nothing listens there." };
  return { droplet, playbooks, transfer, answer };
}

const names = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);
