import { eq } from "drizzle-orm";
import { z } from "zod";
import { instances, operations } from "#db/schema.ts";
import { lastEventId } from "#server/api/liveFeed.ts";
import { procedure, router } from "#server/api/trpc.ts";
import { CommandError } from "#server/commandError.ts";
import { batchRows } from "#server/instances/queries.ts";
import { cancelOperation, retryOperation } from "./cancelAndRetry.ts";
import { logLines, operationViews } from "./queries.ts";

const operationId = z.string().max(64);

export const operationsRouter = router({
  get: procedure.input(z.object({ operationId })).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => {
      const row = tx
        .select({ operation: operations, slug: instances.slug })
        .from(operations)
        .innerJoin(instances, eq(instances.id, operations.instanceId))
        .where(eq(operations.id, input.operationId))
        .get();
      const operation = row === undefined ? undefined : operationViews(tx, [row.operation])[0];
      if (row === undefined || operation === undefined)
        throw new CommandError("not-found", "This operation doesn't exist.");
      return { lastEventId: lastEventId(tx), operation, slug: row.slug, instanceId: operation.instanceId };
    }),
  ),
  /** What one click began with many instances: each with that click's operation. */
  together: procedure.input(z.object({ batchId: operationId })).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => {
      const rows = batchRows(web.env, tx, input.batchId);
      if (rows.length === 0) throw new CommandError("not-found", "This batch doesn't exist.");
      return { lastEventId: lastEventId(tx), instances: rows };
    }),
  ),
  log: procedure
    .input(z.object({ operationId, step: z.string().max(64).optional() }))
    .query(({ ctx: { web }, input }) =>
      web.db.transaction((tx) => ({
        lastEventId: lastEventId(tx),
        lines: logLines(tx, input.operationId, { step: input.step }),
      })),
    ),
  cancel: procedure.input(z.object({ operationId })).mutation(({ ctx: { web, user }, input }) => {
    cancelOperation(web, input.operationId, user.email);
    web.wake(input.operationId);
    return { operationId: input.operationId };
  }),
  retry: procedure.input(z.object({ operationId })).mutation(({ ctx: { web, user }, input }) => {
    retryOperation(web, input.operationId, user.email);
    web.wake(input.operationId);
    return { operationId: input.operationId };
  }),
});
