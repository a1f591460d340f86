import { and, eq, inArray } from "drizzle-orm";
import { backups, operations } from "#db/schema.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { operationOfRun } from "#server/operations/steps/playbook.ts";
import type { BackupStore } from "#server/providers/backups/backups.ts";

/** Once its operation is over nobody reads a playbook's run any more: its lines are events, a retry has another key. */
export async function tidyPlaybookRuns({ db, providers }: Engine): Promise<void> {
  await providers.playbooks.tidy?.((key) => {
    const isLive = inArray(operations.state, ["running", "cancelling"]);
    const live = db
      .select({ id: operations.id })
      .from(operations)
      .where(and(eq(operations.id, operationOfRun(key)), isLive))
      .get();
    return live !== undefined;
  });
}

const hourMs = 3_600_000;
const tidiedAt = new WeakMap<BackupStore, number>();

/** Each hour: what is left of uploads whose process was killed. Other programs may use the same bucket. */
export async function tidyBackupStore({ db, providers, monotonic }: Engine): Promise<void> {
  const store = providers.backups;
  const before = tidiedAt.get(store);
  if (before !== undefined && monotonic() - before < hourMs) return;
  tidiedAt.set(store, monotonic());
  await store.tidy?.((key) => {
    const known = db.select({ id: backups.id }).from(backups).where(eq(backups.key, key)).get();
    return known !== undefined;
  });
}
