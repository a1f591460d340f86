import type { Readable } from "node:stream";

type StoredObject = {
  key: string;
  bytes: number;
  /** Unix ms. */
  modifiedAt: number;
};

/**
 * Where backups live: a folder of this machine, or any S3-compatible store. Keys look like
 * `acme.intranet.io/2026-11-23T10-00-00.000Z-<id>.tar.gz`. Every method throws ProviderError, and so does a store
 * that takes a request and then stays silent: each wait for it has a bound.
 */
export type BackupStore = {
  kind: "folder" | "s3";
  /** Where it is, for people. */
  place: string;
  /**
   * Streams the content in. An object is there whole or not at all, and takes the place of one with the same key.
   * Its size and SHA-256 (hex) are those of what passed. When the signal aborts it rejects at once.
   */
  put(key: string, content: Readable, signal?: AbortSignal): Promise<Stored>;
  /** Streams an object out. */
  get(key: string, signal?: AbortSignal): Promise<Readable>;
  find(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;
  /** Gone already is fine. */
  remove(key: string, signal?: AbortSignal): Promise<void>;
  /**
   * Removes what is left of uploads whose process was killed, a day after the last that was heard of them. Others may
   * use the same store: only what `isOurs` says is touched. To be called now and then.
   */
  tidy?(isOurs: (key: string) => boolean): Promise<void>;
  /** Writes, reads and removes a small object: the live check of the settings page. */
  check(): Promise<{ ok: boolean; userMessage: string }>;
};

export type Stored = { bytes: number; sha256: string };
