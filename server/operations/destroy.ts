import { z } from "zod";
import { unlessBusy } from "#server/instances/rules.ts";
import { hasDroplet, whatIsThere } from "./engine/aftermath.ts";
import { defineOperation, type StepContext, skipped, step } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { createDns, removeDns } from "./steps/dns.ts";
import { destroyDroplet } from "./steps/droplet.ts";
import {
  removeSnapshot,
  type SnapshotFacts,
  settleSnapshot,
  snapshotFacts,
  takeSnapshot,
} from "./steps/finalSnapshot.ts";
import { actionsOf, switchOn } from "./steps/power.ts";

type Context = StepContext<SnapshotFacts>;

const unlessProtected = ({ isProtected }: { isProtected: boolean }) =>
  isProtected ? "It's protected. Remove protection in its settings first." : null;

const stands = ({ instance }: Context) =>
  instance.dropletId !== null && instance.ipAddress !== null && instance.dropletGoneAt === null;
/** One that has no address yet may have been told to go off all the same. */
const wentOff = ({ facts, instance }: Context) =>
  instance.dropletId !== null &&
  instance.dropletGoneAt === null &&
  [...actionsOf(facts, "shutdown"), ...actionsOf(facts, "power_off")].length > 0;
const wasOn = (context: Context) =>
  (stands(context) || wentOff(context)) && context.operation.statusBefore !== "off";
/** The record is removed once the droplet has been kept. Before, one that is missing was so already. */
const mayHaveRemovedDns = (context: Context) =>
  stands(context) && (context.facts.keptDropletId !== undefined || context.facts.snapshotId !== undefined);
const ran = (context: Context) => stands(context) && context.operation.statusBefore === "running";

/** The end of an instance, and at the same time the undo of a spawn in any half-built state. */
export const destroy = defineOperation<SnapshotFacts>({
  kind: "destroy",
  label: "Destroy",
  userMessages: {
    cancelling:
      "The droplet is switched back on, its DNS record is put back, and the snapshot is removed. A snapshot in progress has to finish first, which takes a few minutes. Once the droplet is being destroyed, the only way back is Bring back.",
    cancelled: ({ instance }) =>
      hasDroplet(instance)
        ? "The instance wasn't destroyed: its droplet and DNS record are as they were, and the new snapshot was removed."
        : "The instance wasn't destroyed.",
    failed: whatIsThere,
  },
  facts: z.object(snapshotFacts).partial(),
  status: { during: "destroying", done: "destroyed", cancelled: "before", failed: "failed" },
  mutating: true,
  allowed: (instance) => unlessBusy(instance) ?? unlessProtected(instance),
  noRetry: (instance) => unlessProtected(instance) ?? undefined,
  leavesAtDigitalOcean: "snapshot",
  leavesRequests: true,
  steps: [
    takeSnapshot("snapshot", "Take a snapshot"),
    removeDns("remove-dns", "Remove the DNS record"),
    destroyDroplet("destroy-droplet", "Destroy the droplet", { after: "snapshot", final: true }),
  ],
  undo: [
    settleSnapshot("undo-settle", "Wait for the snapshot in progress"),
    switchOn("undo-off", "Switch the droplet on again", { when: wasOn }),
    step("undo-dns", "Put the DNS record back", async (context) =>
      mayHaveRemovedDns(context) ? createDns("undo-dns", "").run(context) : skipped(),
    ),
    appReady("undo-ready", { when: ran }),
    removeSnapshot("undo-snapshot", "Remove the snapshot"),
  ],
});
