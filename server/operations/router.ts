import { z } from "zod";
import { lastEventId } from "#server/api/liveFeed.ts";
import { procedure, router } from "#server/api/trpc.ts";
import { CommandError } from "#server/commandError.ts";
import { cancelOperation, retryOperation } from "./cancelAndRetry.ts";
import { logLines, operationWithSlug } from "./queries.ts";

const operationId = z.string().max(64);

export const operationsRouter = router({
  get: procedure.input(z.object({ operationId })).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => {
      const found = operationWithSlug(tx, input.operationId);
      if (found === undefined) throw new CommandError("not-found", "This operation doesn't exist.");
      return { lastEventId: lastEventId(tx), ...found };
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
