import { createHash } from "node:crypto";

/** A post as somebody was told that it is kept. */
export type Post = string;

type Manifest = {
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
  /** The version that last opened the data; undefined while other data is in its place. */
  openedBy: string | undefined;
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
  openedBy: undefined,
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

/** Every post that the disk still holds, wherever it lies: archives that are not stored yet included. */
export function postsOn(disk: Disk): Post[] {
  const archived = [...disk.files].flatMap(([name, content]) =>
    name.endsWith(".tar.gz") ? (postsIn(content) ?? []) : [],
  );
  return [...(disk.data ?? []), ...[...disk.before.values()].flat(), ...archived];
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

/** archive.py dump: rules 2, 3 and 4. */
export function dump(
  disk: Disk,
  options: {
    id: string;
    version: string;
    at: number;
    isMissingEmpty: boolean;
    tidyKept: readonly string[];
    tidyArchives: readonly string[];
  },
): void {
  disk.unpacked = undefined;
  for (const name of options.tidyKept) disk.before.delete(name);
  for (const name of options.tidyArchives)
    for (const ending of ["tar.gz", "json"]) disk.files.delete(`backups/${name}.${ending}`);
  if (disk.data === undefined && !options.isMissingEmpty) throw new DiskError("There is no data to back up.");
  const posts = disk.data ?? [];
  const archive = archiveOf(posts);
  const manifest: Manifest = {
    takenAt: options.at,
    version: options.version,
    archive: { bytes: archive.length, sha256: sha256(archive) },
    contents: { files: 1, bytes: archive.length, tree: treeOf(posts), counts: { posts: posts.length } },
  };
  disk.files.set(`backups/${options.id}.tar.gz`, archive);
  disk.files.set(`backups/${options.id}.json`, Buffer.from(JSON.stringify(manifest)));
}

const isSwapped = (disk: Disk, before: string) => disk.before.has(before) && disk.data !== undefined;

/** archive.py unpack: rule 5. */
export function unpack(disk: Disk, options: { id: string; tree: string; before: string }): void {
  if (isSwapped(disk, options.before)) return;
  disk.unpacked = undefined;
  const archive = disk.files.get(`backups/${options.id}.tar.gz`);
  if (archive === undefined) throw new DiskError("The archive is not there.");
  const posts = postsIn(archive);
  if (posts === undefined || treeOf(posts) !== options.tree)
    throw new DiskError("What was unpacked is not what was backed up.");
  disk.unpacked = posts;
}

/** archive.py swap: rule 6. Two renames: whoever is interrupted between them leaves no data in its place. */
export function swap(disk: Disk, before: string, isInterrupted: boolean): void {
  if (isSwapped(disk, before)) {
    disk.unpacked = undefined;
    return;
  }
  if (disk.unpacked === undefined) throw new DiskError("There is nothing to put in the data's place.");
  if (!disk.before.has(before)) disk.before.set(before, disk.data ?? []);
  disk.data = undefined;
  if (isInterrupted) throw new DiskError("The connection broke in the middle of the swap.");
  disk.data = disk.unpacked;
  disk.openedBy = undefined;
  disk.unpacked = undefined;
}

/** archive.py back: rule 7. */
export function back(disk: Disk, names: readonly string[]): void {
  disk.unpacked = undefined;
  for (const name of names) {
    const kept = disk.before.get(name);
    if (kept === undefined) continue;
    disk.data = kept;
    disk.openedBy = undefined;
    disk.before.delete(name);
  }
}
