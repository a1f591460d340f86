import { mkdir, open, rename } from "node:fs/promises";
import path from "node:path";

/**
 * Replaces a file as a whole: after a crash there is either the old content or the new one.
 * Writes beside it, syncs, renames, syncs the folder.
 */
export async function writeFileAtomically(file: string, content: string, mode = 0o600): Promise<void> {
  const folder = path.dirname(file);
  await mkdir(folder, { recursive: true });
  const temporary = `${file}.${process.pid}.new`;
  const handle = await open(temporary, "w", mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  const directory = await open(folder, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
