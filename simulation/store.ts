import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { Readable as ReadableStream } from "node:stream";
import type { BackupStore, Stored } from "#server/providers/backups/backups.ts";
import type { Transfer, TransferHost } from "#server/providers/backups/transfer.ts";
import type { Verified } from "#server/providers/backups/verify.ts";
import { ProviderError } from "#server/providers/errors.ts";
import type { Cloud } from "./cloud.ts";
import { archiveOf, type Post, postsIn } from "./disk.ts";
import type { Faults } from "./faults.ts";
import type { Machine, Process } from "./process.ts";

/** Where backups live: it may damage what it was given, forget it, show it late, or not answer at all. */
export function createStore(
  { timeline, random }: Machine,
  faults: Faults,
  watcher: { removing: (key: string) => void; forgot: (key: string) => void },
  storingMs: number,
) {
  const objects = new Map<string, { content: Buffer; visibleFrom: number }>();

  function keep(key: string, content: Buffer): void {
    const isDamaged = key.endsWith(".tar.gz") && faults.strikes("store-damages");
    const visibleFrom = timeline.now + (faults.strikes("store-delays") ? random.int(500, 5000) : 0);
    objects.set(key, {
      content: isDamaged ? Buffer.from(content).fill("x", 0, 2) : content,
      visibleFrom,
    });
    if (key.endsWith(".tar.gz") && faults.strikes("store-forgets"))
      timeline.push(random.int(1000, 20_000), () => {
        if (!objects.has(key)) return;
        watcher.forgot(key);
        objects.delete(key);
      });
  }
  const find = (key: string) => {
    const object = objects.get(key);
    return object === undefined || object.visibleFrom > timeline.now ? undefined : object.content;
  };

  const storeFor = (process: Process): BackupStore => {
    const silence = (signal?: AbortSignal) =>
      faults.strikes("store-silent") ? silent(process, signal) : undefined;
    return {
      kind: "s3",
      place: "the simulated bucket",
      async put(key, content, signal) {
        const parts: Buffer[] = [];
        for await (const part of content) parts.push(Buffer.from(part));
        const whole = Buffer.concat(parts);
        const ms = faults.strikes("transfer-slow") ? 60_000 : storingMs / 2;
        await (silence(signal) ?? process.call(() => keep(key, whole), { ms }));
        signal?.throwIfAborted();
        return storedOf(whole);
      },
      async get(key, signal) {
        await silence(signal);
        const content = await process.call(() => find(key), { ms: 300 });
        if (content === undefined) throw gone(key);
        return ReadableStream.from([content]);
      },
      async find(key) {
        const content = await process.call(() => find(key), { ms: 100 });
        return content === undefined ? undefined : { key, bytes: content.length, modifiedAt: 0 };
      },
      async remove(key) {
        await silence();
        await process.call(
          () => {
            if (objects.has(key)) watcher.removing(key);
            objects.delete(key);
          },
          { ms: 100 },
        );
      },
      check: async () => ({ ok: true, userMessage: "Ready." }),
    };
  };

  return {
    objects,
    storeFor,
    postsOf: (key: string): Post[] | undefined => {
      const content = objects.get(key)?.content;
      return content === undefined ? undefined : postsIn(content);
    },
  };
}

export type Store = ReturnType<typeof createStore>;

/** Never answers; what a client with a limit on silence makes of it comes after a minute. */
async function silent(process: Process, signal?: AbortSignal): Promise<never> {
  await process.clock.wait(60_000, signal);
  throw new ProviderError({
    userMessage: "The backup store doesn't answer.",
    detail: "silence",
    retryable: true,
    unclear: true,
  });
}

const gone = (key: string) =>
  new ProviderError({
    userMessage: "This backup no longer exists.",
    detail: key,
    retryable: false,
    code: "not-found",
  });
const storedOf = (content: Buffer): Stored => ({
  bytes: content.length,
  sha256: createHash("sha256").update(content).digest("hex"),
});

/** The way between a droplet and the store, over SSH. */
export function createTransfers({ random }: Machine, faults: Faults, cloud: Cloud) {
  /** What arrives of it: bytes of another kind, or an archive that opens and lacks something. */
  function arrivesAs(sent: Buffer): Buffer {
    if (!faults.strikes("transfer-damages")) return sent;
    const posts = postsIn(sent) ?? [];
    return posts.length > 0 && random.chance(0.5)
      ? archiveOf(posts.slice(0, -1))
      : Buffer.from(sent).fill("x", 0, 2);
  }
  const broke = () =>
    new ProviderError({
      userMessage: "The connection to the droplet broke.",
      detail: "reset",
      retryable: true,
    });

  function diskOf(host: TransferHost) {
    const droplet = cloud.dropletAt(host.address);
    if (droplet === undefined || !cloud.isReachable(droplet) || faults.strikes("transfer-breaks"))
      throw broke();
    if (droplet.hostKey !== host.hostKey)
      throw new ProviderError({
        userMessage: "Another machine answers.",
        detail: "host key",
        retryable: false,
      });
    return droplet.disk;
  }
  function fileOf(host: TransferHost, path: string): Buffer {
    const file = diskOf(host).files.get(path);
    if (file !== undefined) return file;
    throw new ProviderError({
      userMessage: "The dump is no longer on the droplet. Start the backup again.",
      detail: path,
      retryable: false,
    });
  }

  return (process: Process): Transfer => ({
    async fetchFile(host, path, store, key, { signal } = {}) {
      const file = await process.call(() => fileOf(host, path), { ms: 300 });
      const content = arrivesAs(file);
      signal?.throwIfAborted();
      return store.put(key, ReadableStream.from([content]), signal);
    },
    async sendFile(store, key, host, path, { signal } = {}) {
      const stored = await collect(await store.get(key, signal));
      const content = arrivesAs(stored);
      signal?.throwIfAborted();
      await process.call(() => diskOf(host).files.set(path, content), { ms: 300 });
      return storedOf(content);
    },
    readTextFile: (host, path) => process.call(() => fileOf(host, path).toString()),
    removeFiles: (host, paths) =>
      process.call(() => {
        const { files } = diskOf(host);
        for (const path of paths) files.delete(path);
      }),
  });
}

async function collect(stream: Readable): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** What server/providers/backups/verify.ts does with a real archive. */
export async function verifyStored(
  store: BackupStore,
  key: string,
  expected: Stored,
  signal?: AbortSignal,
): Promise<Verified> {
  const content = await collect(await store.get(key, signal));
  const found = storedOf(content);
  if (found.bytes !== expected.bytes || found.sha256 !== expected.sha256)
    return {
      ok: false,
      userMessage: "The backup doesn't match what was stored: its checksum differs.",
      detail: key,
    };
  if (postsIn(content) === undefined)
    return { ok: false, userMessage: "The backup can't be opened.", detail: key };
  return { ok: true, files: 1 };
}
