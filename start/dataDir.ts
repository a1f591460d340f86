import { chmodSync, type Dirent, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const ownersOnly = 0o700;

/**
 * Makes the data folder, for its owner alone, as are all files that this process and its children make from now on. What
 * an earlier version left open to others is closed.
 */
export function secureDataDir(dataDir: string): void {
  process.umask(0o077);
  mkdirSync(dataDir, { recursive: true, mode: ownersOnly });
  if ((statSync(dataDir).mode & 0o777) === ownersOnly) return;
  closeAll(dataDir);
  // Last: if this is interrupted, the next start does it again.
  chmodSync(dataDir, ownersOnly);
}

/** Other users' folders: PostgreSQL's own files, and the disks of the local cloud's droplets. */
const isLeftAlone = ({ name, parentPath }: Dirent, dataDir: string): boolean =>
  (name === "postgres" && parentPath === dataDir) ||
  (name === "droplets" && parentPath === join(dataDir, "cloud"));

function closeAll(dataDir: string, folder = dataDir): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (isLeftAlone(entry, dataDir)) continue;
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) {
      chmodSync(path, ownersOnly);
      closeAll(dataDir, path);
    } else if (entry.isFile()) chmodSync(path, statSync(path).mode & ownersOnly);
  }
}
