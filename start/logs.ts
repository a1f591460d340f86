import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

const rotateAtBytes = 10 * 1024 * 1024;

/** Where a process of the Spawner writes. Makes the folder. */
export function logFile(dataDir: string, name: string): string {
  const folder = join(dataDir, "logs");
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.log`);
}

/** Opens a log for appending; one above 10 MB is put aside first as `.1`, replacing the one before. */
export function openLog(file: string): { handle: number; offset: number } {
  if (existsSync(file) && statSync(file).size > rotateAtBytes) renameSync(file, `${file}.1`);
  const handle = openSync(file, "a", 0o600);
  return { handle, offset: statSync(file).size };
}

/** What was written since `offset`, at most the last 64 KiB of it. */
export function readSince(file: string, offset: number): string {
  const size = existsSync(file) ? statSync(file).size : 0;
  const from = Math.max(offset, size - 65_536);
  if (size <= from) return "";
  const buffer = Buffer.alloc(size - from);
  const handle = openSync(file, "r");
  readSync(handle, buffer, 0, buffer.length, from);
  closeSync(handle);
  return buffer.toString("utf8");
}

/** The last lines of a log, for a person who has to find out why. */
export function lastLines(file: string, count = 12): string {
  if (!existsSync(file)) return "";
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-count).join("\n");
}
