import { z } from "zod";
import {
  defineOperation,
  done,
  later,
  type Outcome,
  type StepContext,
  StepFailure,
  step,
} from "./definition.ts";
import { type MachineFacts, machineFacts } from "./machine.ts";

async function destroyStray({
  facts: { dropletId },
  instance,
  providers: { digitalocean },
}: StepContext<MachineFacts>): Promise<Outcome<MachineFacts>> {
  if (dropletId === undefined)
    throw new StepFailure("It is not known which droplet to destroy.", "no droplet");
  if (instance.dropletId === dropletId)
    throw new StepFailure("The intranet runs on this droplet: it is not destroyed.", `droplet ${dropletId}`);
  if ((await digitalocean.getDroplet(dropletId)) !== undefined) {
    await digitalocean.destroyDroplet(dropletId);
    if ((await digitalocean.getDroplet(dropletId)) !== undefined) return later({ afterMs: 2000 });
  }
  return done();
}

/** As orphaned droplets were destroyed before deleteOrphan.ts: kept for the history, and for one that is under way. */
export const removeStray = defineOperation<MachineFacts>({
  kind: "remove-stray",
  label: "Destroy a stray droplet",
  facts: z.object(machineFacts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: false,
  cancelling: "There is no way back once the droplet is being destroyed.",
  steps: [step("destroy-stray", "Destroy the droplet", destroyStray, { final: true })],
  undo: [],
});
