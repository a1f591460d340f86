import { z } from "zod";
import { procedure, router } from "#server/api/trpc.ts";
import { resolveDrift } from "./commands.ts";
import { driftActions } from "./findings.ts";
import { driftCheck, driftViews } from "./queries.ts";

export const driftRouter = router({
  list: procedure.query(({ ctx: { web } }) =>
    web.db.transaction((tx) => ({ check: driftCheck(tx), findings: driftViews(tx) })),
  ),
  resolve: procedure
    .input(z.object({ key: z.string().max(300), action: z.enum(driftActions) }))
    .mutation(({ ctx: { web, user }, input }) => resolveDrift(web, input, user.email)),
});
