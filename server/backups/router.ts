import { z } from "zod";
import { lastEventId } from "#server/api/liveFeed.ts";
import { procedure, router } from "#server/api/trpc.ts";
import { backupPlanInput, restoreAsNewInput } from "#server/instances/rules.ts";
import { backUp, restoreAsNew, restoreBackup, setBackupPlan, testRestore } from "./commands.ts";
import { backupViews } from "./queries.ts";

const id = z.string().max(64);

export const backupsRouter = router({
  list: procedure.query(({ ctx: { web } }) =>
    web.db.transaction((tx) => ({ lastEventId: lastEventId(tx), backups: backupViews(tx) })),
  ),
  backUp: procedure
    .input(z.object({ instanceId: id }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: backUp(web, input, user.email) })),
  restore: procedure
    .input(z.object({ backupId: id }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: restoreBackup(web, input, user.email) })),
  restoreAsNew: procedure
    .input(restoreAsNewInput)
    .mutation(({ ctx: { web, user }, input }) => restoreAsNew(web, input, user.email)),
  testRestore: procedure
    .input(z.object({ instanceId: id, backupId: id.optional() }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: testRestore(web, input, user.email) })),
  setPlan: procedure
    .input(z.object({ instanceId: id, plan: backupPlanInput }))
    .mutation(({ ctx: { web, user }, input }) => setBackupPlan(web, input, user.email)),
});
