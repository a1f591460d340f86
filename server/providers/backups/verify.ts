import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { ProviderError } from "#server/providers/errors.ts";
import type { BackupStore, Stored } from "./backups.ts";
import { digestOf } from "./digest.ts";
import { createTarReader } from "./tar.ts";

export type Verified = { ok: true; files: number } | { ok: false; userMessage: string; detail: string };

/**
 * Reads an archive back from where it is stored: its size and checksum are as expected, it unpacks, and every entry's
 * header is sound. Nothing of it is held in memory. Throws ProviderError only when the store does not answer.
 */
export async function verifyArchive(
  store: BackupStore,
  key: string,
  expected: Stored,
  signal?: AbortSignal,
): Promise<Verified> {
  const content = await store.get(key, signal);
  const { through, result } = digestOf();
  const tar = createTarReader();
  let fault: unknown;
  const opened = await pipeline(content, through, createGunzip(), tar.stream, {
    ...(signal === undefined ? {} : { signal }),
  }).then(
    () => true,
    (error: unknown) => {
      if (signal?.aborted === true || error instanceof ProviderError) throw error;
      fault = error;
      return false;
    },
  );
  if (!opened)
    return {
      ok: false,
      userMessage: "The backup can't be opened: it was damaged in storage.",
      detail: `${key}: ${fault instanceof Error ? fault.message : String(fault)}`,
    };
  const found = result();
  if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256)
    return {
      ok: false,
      userMessage: "The backup doesn't match what was stored: its checksum differs.",
      detail: `${key}: ${found.bytes} bytes, ${found.sha256}; expected ${expected.bytes} bytes, ${expected.sha256}`,
    };
  if (!tar.isComplete())
    return {
      ok: false,
      userMessage: "The backup ends too early: it was damaged in storage.",
      detail: `${key}: the archive has no end`,
    };
  return { ok: true, files: tar.files() };
}
