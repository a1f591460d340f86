import { z } from "zod";
import {
  defineOperation,
  done,
  later,
  type Outcome,
  poll,
  type StepContext,
  StepFailure,
} from "./engine/define.ts";
import { destroyGiveUp, ensureDestroyed, nextLook } from "./steps/droplet.ts";
import { type MachineFacts, machineFacts } from "./steps/machineFacts.ts";

async function destroyOrphanedDroplet(context: StepContext<MachineFacts>): Promise<Outcome<MachineFacts>> {
  const { facts, instance } = context;
  const { dropletId } = facts;
  if (dropletId === undefined) throw new StepFailure("The droplet to destroy is missing.", "no droplet");
  // Before its end is asked for an operation may still take it up; after that its Retry requests another one.
  const isAsked = facts.endAskedIn?.[dropletId] !== undefined;
  if (instance.dropletId === dropletId && !isAsked)
    throw new StepFailure(
      "The intranet runs on this droplet, so it wasn't destroyed.",
      `droplet ${dropletId}`,
    );
  if ((await ensureDestroyed(context, dropletId)) !== "gone") return later(nextLook(context));
  return done();
}

/** As orphaned droplets were destroyed before deleteOrphan.ts: kept for the history, and for one that is under way. */
export const removeOrphanedDroplet = defineOperation<MachineFacts>({
  kind: "remove-orphaned-droplet",
  label: "Destroy an orphaned droplet",
  userMessages: {
    cancelling: "Once the droplet is being destroyed, this can't be undone.",
    cancelled: "Nothing was destroyed. The droplet may still exist and cost money.",
    failed: "The droplet may still exist, and costs money until it's destroyed.",
  },
  facts: z.object(machineFacts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: false,
  repairsDrift: true,
  steps: [
    {
      ...poll<MachineFacts>(
        "destroy-stray",
        "Destroy the droplet",
        { everyMs: 1000, giveUp: destroyGiveUp },
        destroyOrphanedDroplet,
      ),
      final: true,
    },
  ],
});
