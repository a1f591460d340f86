import { eq } from "drizzle-orm";
import type { z } from "zod";
import { write } from "#db/client.ts";
import { audit, instances } from "#db/schema.ts";
import { nextBackup, nextRestoreTest } from "#server/instances/backupPlan.ts";
import type { backupPlanInput } from "#server/instances/inputs.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { instanceOf, type OperationStarter } from "#server/operations/startOperation.ts";

/** When backups of an instance are made, and which are kept. */
export function setBackupPlan(
  { db, now }: Pick<OperationStarter, "db" | "now">,
  { instanceId, plan }: { instanceId: string; plan: z.infer<typeof backupPlanInput> },
  who: string,
): void {
  write(db, (tx) => {
    const instance = instanceOf(tx, instanceId);
    const at = now();
    const backupPlan = { ...plan, setAt: at };
    tx.update(instances)
      .set({
        backupPlan,
        nextBackupAt: nextBackup(backupPlan, at),
        nextRestoreTestAt: nextRestoreTest(backupPlan, at),
      })
      .where(eq(instances.id, instanceId))
      .run();
    const what = `changed the backup schedule of ${instance.company}`;
    tx.insert(audit).values({ at, who, what, instanceId }).run();
    appendEvent(tx, { at, kind: "instance", instanceId });
  });
}
