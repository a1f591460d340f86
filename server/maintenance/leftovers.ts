import { and, eq, inArray } from "drizzle-orm";
import { operations } from "../../db/schema.ts";
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

/** What uploads left behind whose process was killed. */
export async function tidyBackupStore({ providers }: Engine): Promise<void> {
  await providers.backups.tidy?.();
}
