import { createHash } from "node:crypto";

/** A post as somebody was told that it is kept. */
export type Post = string;

export type Manifest = {
  takenAt: number;
  version: string;
  archive: { bytes: number; sha256: string };
  contents: { files: number; bytes: number; tree: string; counts: Record<string, number> };
};

/**
 * What lies on a droplet's disk: the software, its environment and the intranet's data, with the rules of
 * ansible/files/archive.py for dumps and for data that takes another's place.
 */
export type Disk = {
  /** The version that is unpacked and was last started. */
  software: string | undefined;
  environment: { url: string; variables: Record<string, string>; redirectFrom: string[] } | undefined;
  /** Whether the service starts with the machine; it runs while the machine does. */
  isStarted: boolean;
  data: Post[] | undefined;
  /** Unpacked, not yet in its place. */
  unpacked: Post[] | undefined;
  /** Data that a restore has moved aside, by the restore's name. */
  before: Map<string, Post[]>;
  /** Files below ~/backups. */
  files: Map<string, Buffer>;
};

export const emptyDisk = (): Disk => ({
  software: undefined,
  environment: undefined,
  isStarted: false,
  data: undefined,
  unpacked: undefined,
  before: new Map(),
  files: new Map(),
});

export const copyOf = (disk: Disk): Disk => ({
  ...disk,
  data: disk.data === undefined ? undefined : [...disk.data],
  unpacked: disk.unpacked === undefined ? undefined : [...disk.unpacked],
  before: new Map([...disk.before].map(([name, posts]) => [name, [...posts]])),
  files: new Map(disk.files),
});

/** Every post that the disk still holds, wherever it lies. */
export function postsOn(disk: Disk): Post[] {
  return [...(disk.data ?? []), ...[...disk.before.values()].flat()];
}

const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");
export const treeOf = (posts: readonly Post[]) => sha256(posts.join("\n"));

/** An archive as it is stored: its content says which posts are in it. */
export const archiveOf = (posts: readonly Post[]) => Buffer.from(JSON.stringify(posts));

/** The posts in an archive; undefined when it is damaged. */
export function postsIn(archive: Buffer): Post[] | undefined {
  try {
    const parsed: unknown = JSON.parse(archive.toString());
    return Array.isArray(parsed) && parsed.every((one) => typeof one === "string") ? parsed : undefined;
  } catch {
    return undefined;
  }
}

export class DiskError extends Error {}

/** archive.py dump */
export function dump(disk: Disk, options: { id: string; version: string; at: number }): void {
  tidy(disk, options.id);
  if (disk.data === undefined) throw new DiskError("There is no data to back up.");
  const archive = archiveOf(disk.data);
  const manifest: Manifest = {
    takenAt: options.at,
    version: options.version,
    archive: { bytes: archive.length, sha256: sha256(archive) },
    contents: {
      files: 1,
      bytes: archive.length,
      tree: treeOf(disk.data),
      counts: { posts: disk.data.length },
    },
  };
  disk.files.set(`backups/${options.id}.tar.gz`, archive);
  disk.files.set(`backups/${options.id}.json`, Buffer.from(JSON.stringify(manifest)));
}

/** archive.py tidy */
function tidy(disk: Disk, id: string): void {
  for (const name of disk.files.keys()) if (!name.startsWith(`backups/${id}`)) disk.files.delete(name);
  disk.before.clear();
}

/** archive.py unpack */
export function unpack(disk: Disk, options: { id: string; tree: string }): void {
  disk.unpacked = undefined;
  const archive = disk.files.get(`backups/${options.id}.tar.gz`);
  if (archive === undefined) throw new DiskError("The archive is not there.");
  const posts = postsIn(archive);
  if (posts === undefined || treeOf(posts) !== options.tree)
    throw new DiskError("What was unpacked is not what was backed up.");
  disk.unpacked = posts;
}

/** archive.py swap */
export function swap(disk: Disk, before: string): void {
  if (disk.unpacked === undefined) return;
  if (!disk.before.has(before) && disk.data !== undefined) disk.before.set(before, disk.data);
  disk.data = disk.unpacked;
  disk.unpacked = undefined;
}

/** archive.py back */
export function back(disk: Disk, before: string): void {
  disk.unpacked = undefined;
  const kept = disk.before.get(before);
  if (kept === undefined) return;
  disk.data = kept;
  disk.before.delete(before);
}
