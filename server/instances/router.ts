import { z } from "zod";
import { operationKinds } from "../../db/schema.ts";
import { lastEventId } from "../live.ts";
import { planView } from "../operations/queries.ts";
import { Refusal } from "../refusal.ts";
import { procedure, router } from "../trpc.ts";
import { checkSlug, destroyInstance, spawnInstance } from "./commands.ts";
import { options } from "./options.ts";
import { instanceDetail, instanceRows } from "./queries.ts";
import { spawnInput } from "./rules.ts";

const text = z.string().max(300);

export const instancesRouter = router({
  list: procedure.query(({ ctx: { web } }) =>
    web.db.transaction((tx) => ({ lastEventId: lastEventId(tx), instances: instanceRows(web.env, tx) })),
  ),
  get: procedure.input(z.object({ slug: text, id: text.optional() })).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => {
      const instance = instanceDetail(web.env, tx, input.slug, input.id);
      if (instance === undefined)
        throw new Refusal("not-found", `There is no instance called ${input.slug}.`);
      return { lastEventId: lastEventId(tx), instance };
    }),
  ),
  checkSlug: procedure
    .input(z.object({ slug: text, domain: text }))
    .query(({ ctx, input }) => checkSlug(ctx.web, input)),
  options: procedure.query(({ ctx: { web } }) => options(web.env, web.digitalocean, Date.now())),
  plan: procedure
    .input(z.object({ kind: z.enum(operationKinds) }))
    .query(({ ctx: { web }, input }) => web.db.transaction((tx) => planView(tx, input.kind))),
  spawn: procedure
    .input(spawnInput)
    .mutation(({ ctx: { web, user }, input }) => spawnInstance(web, input, user.email)),
  destroy: procedure
    .input(z.object({ instanceId: text, confirm: text }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: destroyInstance(web, input, user.email) })),
});
