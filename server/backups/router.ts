import { z } from "zod";
import { lastEventId } from "#server/api/liveFeed.ts";
import { procedure, router } from "#server/api/trpc.ts";
import { backUp } from "#server/backups/commands/backUp.ts";
import { restoreBackup } from "#server/backups/commands/restoreBackup.ts";
import { testRestore } from "#server/backups/commands/testRestore.ts";
import { backupViews } from "./queries.ts";

const id = z.string().max(64);

export const backupsRouter = router({
  /** Of all instances, or of one. */
  list: procedure.input(z.object({ instanceId: id.optional() }).optional()).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => ({
      lastEventId: lastEventId(tx),
      backups: backupViews(tx, input?.instanceId),
    })),
  ),
  backUp: procedure
    .input(z.object({ instanceId: id }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: backUp(web, input, user.email) })),
  restore: procedure
    .input(z.object({ backupId: id }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: restoreBackup(web, input, user.email) })),
  testRestore: procedure
    .input(z.object({ instanceId: id, backupId: id.optional() }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: testRestore(web, input, user.email) })),
});
