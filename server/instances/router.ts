import { z } from "zod";
import { operationKinds } from "#db/schema.ts";
import { inBulk } from "#server/api/bulk.ts";
import { lastEventId } from "#server/api/liveFeed.ts";
import { procedure, router } from "#server/api/trpc.ts";
import { maxBulk } from "#server/api/views.ts";
import { CommandError } from "#server/commandError.ts";
import { bringBack } from "#server/instances/commands/bringBack.ts";
import { changeAddress } from "#server/instances/commands/changeAddress.ts";
import { destroyInstance } from "#server/instances/commands/destroyInstance.ts";
import { editVariables, restoreVariables } from "#server/instances/commands/editVariables.ts";
import { protectInstance } from "#server/instances/commands/protectInstance.ts";
import { purgeInstance } from "#server/instances/commands/purgeInstance.ts";
import { renameInstance } from "#server/instances/commands/renameInstance.ts";
import { resizeInstance } from "#server/instances/commands/resizeInstance.ts";
import { restoreAsNew } from "#server/instances/commands/restoreAsNew.ts";
import { setBackupPlan } from "#server/instances/commands/setBackupPlan.ts";
import { setPower } from "#server/instances/commands/setPower.ts";
import { spawnInstance } from "#server/instances/commands/spawnInstance.ts";
import { upgradeInstance } from "#server/instances/commands/upgradeInstance.ts";
import { planView } from "#server/operations/queries.ts";
import { checkSlug } from "./addresses.ts";
import {
  addressInput,
  backupPlanInput,
  bringBackInput,
  editedVariablesInput,
  renameInput,
  restoreAsNewInput,
  spawnInput,
} from "./inputs.ts";
import { listCursor, listedInput, listPage, matchingInput, rowsUnderWay, statusSums } from "./list.ts";
import { options } from "./options.ts";
import { batchRows, instanceDetail, instanceHealth } from "./queries.ts";

const text = z.string().max(300);

export const instancesRouter = router({
  /** A page of the list. */
  list: procedure
    .input(listedInput.extend({ cursor: listCursor.nullish() }))
    .query(({ ctx: { web }, input: { cursor, ...listed } }) =>
      web.db.transaction((tx) => ({
        lastEventId: lastEventId(tx),
        ...listPage(web.env, tx, listed, cursor),
      })),
    ),
  /** What all instances add up to, and what is being done with them. */
  summary: procedure.query(({ ctx: { web } }) =>
    web.db.transaction((tx) => ({
      lastEventId: lastEventId(tx),
      sums: statusSums(tx),
      underWay: rowsUnderWay(web.env, tx),
    })),
  ),
  /** What those add up to that the search finds. */
  found: procedure
    .input(z.object({ search: z.string().max(200) }))
    .query(({ ctx: { web }, input }) => ({ sums: statusSums(web.db, input.search) })),
  get: procedure.input(z.object({ slug: text, id: text.optional() })).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => {
      const instance = instanceDetail(web.env, tx, input.slug, input.id);
      if (instance === undefined)
        throw new CommandError("not-found", `There's no instance called ${input.slug}.`);
      return { lastEventId: lastEventId(tx), instance };
    }),
  ),
  health: procedure.input(z.object({ instanceId: text })).query(({ ctx: { web }, input }) => {
    const health = web.db.transaction((tx) => instanceHealth(tx, input.instanceId, web.now()));
    if (health === undefined) throw new CommandError("not-found", "This instance doesn't exist.");
    return health;
  }),
  checkSlug: procedure
    .input(z.object({ slug: text, domain: text, instanceId: text.optional() }))
    .query(({ ctx, input }) => checkSlug(ctx.web, input)),
  options: procedure.query(({ ctx: { web } }) => options(web.env, web.digitalocean, web.monotonic())),
  plan: procedure
    .input(z.object({ kind: z.enum(operationKinds) }))
    .query(({ ctx: { web }, input }) => web.db.transaction((tx) => planView(tx, input.kind))),
  spawn: procedure
    .input(spawnInput)
    .mutation(({ ctx: { web, user }, input }) => spawnInstance(web, input, user.email)),
  destroy: procedure
    .input(z.object({ instanceId: text, confirm: text }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: destroyInstance(web, input, user.email) })),
  bringBack: procedure.input(bringBackInput).mutation(async ({ ctx: { web, user }, input }) => ({
    operationId: await bringBack(web, input, user.email),
  })),
  purge: procedure
    .input(z.object({ instanceId: text, confirm: text }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: purgeInstance(web, input, user.email) })),
  protect: procedure
    .input(z.object({ instanceId: text, isProtected: z.boolean() }))
    .mutation(({ ctx: { web, user }, input }) => protectInstance(web, input, user.email)),
  changeAddress: procedure.input(addressInput).mutation(async ({ ctx: { web, user }, input }) => ({
    operationId: await changeAddress(web, input, user.email),
  })),
  rename: procedure
    .input(renameInput)
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: renameInstance(web, input, user.email) })),
  editVariables: procedure
    .input(z.object({ instanceId: text, variables: editedVariablesInput }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: editVariables(web, input, user.email) })),
  restoreVariables: procedure
    .input(z.object({ instanceId: text, set: z.number().int() }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: restoreVariables(web, input, user.email) })),
  setPower: procedure
    .input(z.object({ instanceId: text, power: z.enum(["restart", "off", "on"]) }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: setPower(web, input, user.email) })),
  resize: procedure.input(z.object({ instanceId: text, size: text })).mutation(async ({ ctx, input }) => ({
    operationId: await resizeInstance(ctx.web, input, ctx.user.email),
  })),
  upgrade: procedure
    .input(z.object({ instanceId: text, version: text }))
    .mutation(({ ctx: { web, user }, input }) => ({ operationId: upgradeInstance(web, input, user.email) })),
  restoreAsNew: procedure
    .input(restoreAsNewInput)
    .mutation(({ ctx: { web, user }, input }) => restoreAsNew(web, input, user.email)),
  setBackupPlan: procedure
    .input(z.object({ instanceId: text, plan: backupPlanInput }))
    .mutation(({ ctx: { web, user }, input }) => setBackupPlan(web, input, user.email)),
  /** What one click began with many instances: each with that click's operation. */
  batch: procedure.input(z.object({ batchId: text })).query(({ ctx: { web }, input }) =>
    web.db.transaction((tx) => {
      const rows = batchRows(web.env, tx, input.batchId);
      if (rows.length === 0) throw new CommandError("not-found", "This batch doesn't exist.");
      return { lastEventId: lastEventId(tx), instances: rows };
    }),
  ),
  inBulk: procedure
    .input(
      z
        .object({ action: z.enum(["destroy", "backUp"]), confirm: z.number().int().optional() })
        .and(
          z.union([
            z.object({ instanceIds: z.array(text).min(1).max(maxBulk) }),
            z.object({ matching: matchingInput }),
          ]),
        ),
    )
    .mutation(({ ctx: { web, user }, input }) => inBulk(web, input, user.email)),
});
