import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  NotFound,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { ProviderError } from "#server/providers/errors.ts";
import type { BackupStore } from "./backups.ts";
import { roundTrip } from "./check.ts";
import { digestOf } from "./digest.ts";

export type S3Options = {
  /** "https://fra1.digitaloceanspaces.com" */
  endpoint: string;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** How long the store may be silent while it is asked for something, in ms; a minute by default. */
  silenceMs?: number;
};

/** An unfinished upload that began this long ago has lost its process. */
const abandonedAfterMs = 24 * 3_600_000;

/** An upload's parts, of which S3 allows 10 000: archives of up to 160 GB, 64 MiB of memory. */
const partBytes = 16 * 1024 * 1024;

/** Backups in any S3-compatible store: uploads are streamed in parts, and appear when the last one has arrived. */
export function createS3Store({
  endpoint,
  region,
  bucket,
  accessKeyId,
  secretAccessKey,
  silenceMs = 60_000,
}: S3Options): BackupStore {
  const client = new S3Client({
    endpoint,
    region,
    // Every S3-compatible store understands it; names of buckets in host names are not for all of them.
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 4,
    // Newer checksums are not understood by every store; ours are kept beside each backup.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: { connectionTimeout: silenceMs, socketTimeout: silenceMs },
  });
  // Around each attempt, not around all of them.
  client.middlewareStack.add(
    (next) => (args) =>
      next(args).catch((error: unknown) => {
        throw isTimeout(error) ? new Silence(error.message) : error;
      }),
    { step: "deserialize", priority: "high" },
  );
  const place = `the bucket ${bucket} at ${new URL(endpoint).host}`;
  const aborted = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal });

  /** The pages of the list of uploads that were begun and not finished. */
  async function* listUploads() {
    for (let marker: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
      const page: ListMultipartUploadsCommandOutput = await client.send(
        new ListMultipartUploadsCommand({ Bucket: bucket, ...marker }),
      );
      yield page;
      const { IsTruncated, NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
      if (IsTruncated !== true || KeyMarker === undefined || UploadIdMarker === undefined) return;
      marker = { KeyMarker, UploadIdMarker };
    }
  }

  const store: BackupStore = {
    kind: "s3",
    place,
    async put(key, content, signal) {
      const { through, result } = digestOf();
      content.once("error", (error) => through.destroy(error));
      // What the upload does not read any more breaks without a listener of its own.
      through.on("error", () => undefined);
      const upload = new Upload({
        client,
        params: { Bucket: bucket, Key: key, Body: content.pipe(through) },
        partSize: partBytes,
        queueSize: 3,
        leavePartsOnError: false,
      });
      const stop = () => void upload.abort();
      signal?.addEventListener("abort", stop, { once: true });
      try {
        signal?.throwIfAborted();
        await upload.done();
        return result();
      } catch (error) {
        content.destroy();
        // Else the upload waits for its next part for ever, and never removes those it has sent.
        through.destroy(new Error("The upload has ended."));
        throw failure(error, `writing ${key}`, bucket);
      } finally {
        signal?.removeEventListener("abort", stop);
      }
    },
    async get(key, signal) {
      try {
        const command = new GetObjectCommand({ Bucket: bucket, Key: key });
        const { Body } = await client.send(command, aborted(signal));
        if (!(Body instanceof Readable)) throw new Error("The answer has no body.");
        return Readable.from(explained(Body, `reading ${key}`, bucket), { objectMode: false });
      } catch (error) {
        throw failure(error, `reading ${key}`, bucket);
      }
    },
    async find(key, signal) {
      try {
        const command = new HeadObjectCommand({ Bucket: bucket, Key: key });
        const found = await client.send(command, aborted(signal));
        return { key, bytes: found.ContentLength ?? 0, modifiedAt: found.LastModified?.getTime() ?? 0 };
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw failure(error, `looking for ${key}`, bucket);
      }
    },
    async remove(key, signal) {
      try {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }), aborted(signal));
      } catch (error) {
        throw failure(error, `removing ${key}`, bucket);
      }
    },
    async tidy(isOurs) {
      const before = Date.now() - abandonedAfterMs;
      try {
        for await (const { Uploads = [] } of listUploads())
          for (const { Key, UploadId, Initiated } of Uploads) {
            if (Key === undefined || Initiated === undefined) continue;
            if (Initiated.getTime() < before && isOurs(Key))
              await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
          }
      } catch (error) {
        throw failure(error, "looking for unfinished uploads", bucket);
      }
    },
    check: () => roundTrip(store, `Backups are kept in ${place}.`),
  };
  return store;
}

/** The client gives connections that broke (ECONNRESET, EPIPE, …) the same name, and is right to repeat those. */
const isTimeout = (error: unknown): error is Error =>
  error instanceof Error &&
  error.name === "TimeoutError" &&
  (!("code" in error) || error.code === "ETIMEDOUT");

/** No answer came in time. Unlike the client's own error for it this one is not repeated at once, which would take minutes. */
class Silence extends Error {
  override name = "Silence";
}

/** A stream whose errors are ProviderErrors. */
async function* explained(body: Readable, what: string, bucket: string): AsyncGenerator<Buffer> {
  try {
    yield* body;
  } catch (error) {
    throw failure(error, what, bucket);
  }
}

/** Names of what another try may not meet again. */
const passing = new Set(["Silence", "TimeoutError", "AbortError"]);

/** What the store says as a sentence that says what to do; nothing of the credentials is in it. */
function failure(error: unknown, what: string, bucket: string): ProviderError {
  if (error instanceof ProviderError) return error;
  const name = error instanceof Error ? error.name : "";
  const status = error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 0) : 0;
  const silence = "The backup store doesn't answer.";
  const known: Record<string, string> = {
    NoSuchBucket: `The bucket ${bucket} doesn't exist. Create it, or correct BACKUP_BUCKET.`,
    NoSuchKey: "This backup no longer exists. Choose another one.",
    InvalidAccessKeyId: "The backup store doesn't know the key. Correct BACKUP_ACCESS_KEY_ID.",
    SignatureDoesNotMatch: "The backup store refuses the key. Correct BACKUP_SECRET_ACCESS_KEY.",
    Silence: silence,
    TimeoutError: silence,
    AbortError: "The request to the backup store was cancelled.",
    AccessDenied: `The key isn't allowed to use the bucket ${bucket}. Give it permission to read, write and delete there.`,
  };
  return new ProviderError({
    userMessage: known[name] ?? "The backup store gave an unexpected answer.",
    detail:
      `${what}: ${name} ${status === 0 ? "" : status} ${error instanceof Error ? error.message : ""}`.trim(),
    retryable: known[name] === undefined || passing.has(name),
    ...(name === "NoSuchKey" ? { code: "not-found" } : {}),
    cause: error,
  });
}
