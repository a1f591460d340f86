import { and, desc, eq, notInArray } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { backups, instances } from "#db/schema.ts";
import type { BackupView } from "#server/api/views.ts";

/** Backups that are there or being made, newest first: of all instances, or of one. */
export function backupViews(tx: Pick<Tx, "select">, instanceId?: string): BackupView[] {
  return tx
    .select({ backup: backups, company: instances.company, slug: instances.slug })
    .from(backups)
    .innerJoin(instances, eq(instances.id, backups.instanceId))
    .where(
      and(
        notInArray(backups.state, ["removing", "removed"]),
        instanceId === undefined ? undefined : eq(backups.instanceId, instanceId),
      ),
    )
    .orderBy(desc(backups.sequence))
    .all()
    .map(({ backup, company, slug }) => {
      const {
        key: _key,
        sha256: _sha256,
        operationId: _operation,
        contents,
        removedAt: _gone,
        ...row
      } = backup;
      return { ...row, company, slug, files: contents?.files ?? null, counts: contents?.counts ?? {} };
    });
}
