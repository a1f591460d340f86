import type { Env } from "../env.ts";
import type { BackupStore } from "../providers/backups/backups.ts";
import { createFolderStore } from "../providers/backups/folderStore.ts";
import { createS3Store } from "../providers/backups/s3Store.ts";

/** An S3-compatible store when a bucket is named, a folder in DATA_DIR without one. */
export function createBackupStore({ backups }: Pick<Env, "backups">): BackupStore {
  const { folder, bucket, ...store } = backups;
  return bucket === undefined ? createFolderStore(folder) : createS3Store({ ...store, bucket });
}
