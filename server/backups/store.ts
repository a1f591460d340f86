import type { Env } from "#server/env.ts";
import type { BackupStore } from "#server/providers/backups/backups.ts";
import { createFolderStore } from "#server/providers/backups/folderStore.ts";
import { createS3Store } from "#server/providers/backups/s3Store.ts";

/** An S3-compatible store when a bucket is named, a folder in DATA_DIR without one. */
export function createBackupStore({ backups }: Pick<Env, "backups">): BackupStore {
  const { folder, bucket, ...store } = backups;
  return bucket === undefined ? createFolderStore(folder) : createS3Store({ ...store, bucket });
}
