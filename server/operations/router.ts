import { z } from "zod";
import { lastEventId } from "#server/api/liveFeed.ts";
import { procedure, router } from "#server/api/trpc.ts";
import { CommandError } from "#server/commandError.ts";
import { cancelOperation, retryOperation } from "./cancelAndRetry.ts";
import { logLines, operationsPage, operationWithSlug } from "./queries.ts";

const operationId = z.string().max(64);

const olderPageSize = 50;

export const operationsRouter = router({
  get: procedure.input(z.object({ operationId })).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => {
      const found = operationWithSlug(tx, input.operationId);
      if (found === undefined) throw new CommandError("not-found", "This operation doesn't exist.");
      return { lastEventId: lastEventId(tx), ...found };
    }),
  ),
  /** Those of an instance, newest first, page by page. */
  list: procedure
    .input(z.object({ instanceId: z.string().max(64), cursor: z.number().int().nullish() }))
    .query(({ ctx: { web }, input: { instanceId, cursor } }) =>
      web.db.transaction((tx) => operationsPage(tx, instanceId, { cursor, limit: olderPageSize })),
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
