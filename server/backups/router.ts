import { z } from "zod";
import { backupsInput, backupsPage, backupsSummary } from "#server/api/backupList.ts";
import { procedure, router } from "#server/api/trpc.ts";
import { backUp } from "#server/backups/commands/backUp.ts";
import { restoreBackup } from "#server/backups/commands/restoreBackup.ts";
import { testRestore } from "#server/backups/commands/testRestore.ts";

const id = z.string().max(64);

export const backupsRouter = router({
  /** A page of them, of all instances or of one. */
  list: procedure
    .input(backupsInput.extend({ cursor: z.number().int().nullish() }))
    .query(({ ctx: { web }, input: { cursor, ...listed } }) =>
      web.db.transaction((tx) => backupsPage(tx, listed, cursor)),
    ),
  summary: procedure.query(({ ctx: { web } }) => web.db.transaction((tx) => backupsSummary(tx, web.now()))),
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
