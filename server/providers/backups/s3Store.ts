import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NotFound,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { ProviderError } from "../errors.ts";
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
};

/** An upload's parts, of which S3 allows 10 000: archives of up to 160 GB, 64 MiB of memory. */
const partBytes = 16 * 1024 * 1024;

/** Backups in any S3-compatible store: uploads are streamed in parts, and appear when the last one has arrived. */
export function createS3Store({
  endpoint,
  region,
  bucket,
  accessKeyId,
  secretAccessKey,
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
  });
  const place = `the bucket ${bucket} at ${new URL(endpoint).host}`;
  const aborted = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal });

  const store: BackupStore = {
    kind: "s3",
    place,
    async put(key, content, signal) {
      const { through, result } = digestOf();
      content.once("error", (error) => through.destroy(error));
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
        await upload.done();
        return result();
      } catch (error) {
        content.destroy();
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
        return Body;
      } catch (error) {
        throw failure(error, `reading ${key}`, bucket);
      }
    },
    async find(key) {
      try {
        const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
        return { key, bytes: found.ContentLength ?? 0, modifiedAt: found.LastModified?.getTime() ?? 0 };
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw failure(error, `looking for ${key}`, bucket);
      }
    },
    async remove(key) {
      try {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
      } catch (error) {
        throw failure(error, `removing ${key}`, bucket);
      }
    },
    check: () => roundTrip(store, `Backups are kept in ${place}.`),
  };
  return store;
}

/** What the store says as a sentence that says what to do; nothing of the credentials is in it. */
function failure(error: unknown, what: string, bucket: string): ProviderError {
  if (error instanceof ProviderError) return error;
  const name = error instanceof Error ? error.name : "";
  const status = error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 0) : 0;
  const known: Record<string, string> = {
    NoSuchBucket: `The bucket ${bucket} does not exist. Make it, or correct BACKUP_BUCKET.`,
    NoSuchKey: "This backup is not there any more. Choose another one.",
    InvalidAccessKeyId: "The store for backups does not know the key. Correct BACKUP_ACCESS_KEY_ID.",
    SignatureDoesNotMatch: "The store for backups refuses the key. Correct BACKUP_SECRET_ACCESS_KEY.",
    AccessDenied: `The key may not use the bucket ${bucket}. Allow it to read, write and delete there.`,
  };
  return new ProviderError({
    sentence: known[name] ?? "The store for backups does not answer as it should. It is tried again.",
    detail:
      `${what}: ${name} ${status === 0 ? "" : status} ${error instanceof Error ? error.message : ""}`.trim(),
    retryable: known[name] === undefined,
    cause: error,
  });
}
