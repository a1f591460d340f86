import { and, eq, inArray } from "drizzle-orm";
import { backups, operations } from "../../db/schema.ts";
import type { Engine } from "../operations/engine.ts";
import { operationOfRun } from "../operations/playbook.ts";

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

/** What is left of uploads whose process was killed; other programs may use the same bucket. */
export async function tidyBackupStore({ db, providers }: Engine): Promise<void> {
  await providers.backups.tidy?.((key) => {
    const known = db.select({ id: backups.id }).from(backups).where(eq(backups.key, key)).get();
    return known !== undefined;
  });
}
