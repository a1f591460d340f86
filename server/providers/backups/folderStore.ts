import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { ProviderError } from "#server/providers/errors.ts";
import type { BackupStore } from "./backups.ts";
import { roundTrip } from "./check.ts";
import { digestOf } from "./digest.ts";

/** What is written beside its place ends like this. */
const draftName = /\.[0-9a-f]{12}\.new$/;
/** A draft that was not written to for this long has lost its process. */
const abandonedAfterMs = 24 * 3_600_000;

/** Backups in a folder of this machine: written beside their place, synced, then renamed. */
export function createFolderStore(given: string): BackupStore {
  const folder = resolve(given);

  function pathOf(key: string): string {
    const path = resolve(folder, key);
    if (path.startsWith(folder + sep)) return path;
    throw new ProviderError({
      userMessage: "This backup has a name that can't be used. This is a bug in the Spawner.",
      detail: `The key ${JSON.stringify(key)} leads out of the backups' folder.`,
      retryable: false,
    });
  }

  const store: BackupStore = {
    kind: "folder",
    place: folder,
    async put(key, content, signal) {
      const path = pathOf(key);
      const draft = `${path}.${randomBytes(6).toString("hex")}.new`;
      const { through, result } = digestOf();
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await pipeline(content, through, createWriteStream(draft, { mode: 0o600, flush: true }), {
          ...(signal === undefined ? {} : { signal }),
        });
        await rename(draft, path);
        await syncFolder(dirname(path));
        return result();
      } catch (error) {
        content.destroy();
        // What keeps it from being written may keep it from being removed too; `tidy` removes what stays.
        await rm(draft, { force: true }).catch(() => undefined);
        throw failure(error, `writing ${key}`);
      }
    },
    async get(key, signal) {
      const path = pathOf(key);
      try {
        const handle = await open(path);
        return handle.createReadStream(signal === undefined ? {} : { signal });
      } catch (error) {
        throw failure(error, `reading ${key}`);
      }
    },
    async find(key) {
      try {
        const { size, mtimeMs } = await stat(pathOf(key));
        return { key, bytes: size, modifiedAt: Math.round(mtimeMs) };
      } catch (error) {
        if (codeOf(error) === "ENOENT") return undefined;
        throw failure(error, `looking for ${key}`);
      }
    },
    async remove(key) {
      await rm(pathOf(key), { force: true }).catch((error: unknown) => {
        throw failure(error, `removing ${key}`);
      });
    },
    async tidy() {
      const now = Date.now();
      const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
      for (const entry of entries) {
        if (!entry.isFile() || !draftName.test(entry.name)) continue;
        const draft = join(entry.parentPath, entry.name);
        try {
          if (now - (await stat(draft)).mtimeMs > abandonedAfterMs) await rm(draft, { force: true });
        } catch (error) {
          // Its upload has ended meanwhile.
          if (codeOf(error) !== "ENOENT") throw failure(error, `removing ${draft}`);
        }
      }
    },
    check: () => roundTrip(store, `Backups are kept in ${folder}, on the Spawner's disk.`),
  };
  return store;
}

/** So that the new name survives a power cut as well. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  await handle.sync().finally(() => handle.close());
}

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "");

const userMessages: Record<string, string> = {
  ENOENT: "This backup no longer exists. Choose another one.",
  ENOSPC: "The Spawner's disk is full. Free up some space, then try again.",
  EACCES: "The backup folder can't be used. Give the Spawner read and write access to it, then try again.",
  EROFS: "The backup folder can't be written to: its disk is read-only.",
};

/** A fault of the file system as a sentence; what is a ProviderError already (of whoever feeds the stream) stays one. */
function failure(error: unknown, what: string): ProviderError {
  if (error instanceof ProviderError) return error;
  const code = codeOf(error);
  return new ProviderError({
    userMessage: userMessages[code] ?? "The backup folder couldn't be used.",
    detail: `${what}: ${error instanceof Error ? error.message : String(error)}`,
    retryable: code !== "ENOENT" && code !== "ENOSPC",
    ...(code === "ENOENT" ? { code: "not-found" } : {}),
    cause: error,
  });
}
