import { eq } from "drizzle-orm";
import { z } from "zod";
import { instances } from "#db/schema.ts";
import { unlessPurged } from "#server/instances/rules.ts";
import { whatIsThere } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, type StepContext, undoneBy } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { createDns, removeDns } from "./steps/dns.ts";
import { destroyDroplet, dropletReady, replacingLostDroplet, requestDroplet } from "./steps/droplet.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { playbookStep } from "./steps/playbook.ts";
import { emailReady } from "./steps/readyMail.ts";
import { reinstallVars } from "./steps/reapplyConfiguration.ts";
import { putBack, sendBackup, sourceFacts } from "./steps/restoreData.ts";

const facts = { ...sourceFacts, previousSlug: z.string() };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

/** Without a snapshot it begins with a bare droplet and a backup's data. */
const isFromBackup = ({ facts }: Context) => facts.source !== undefined;
/** A snapshot holds its droplet's software and data, which a failed operation may have left incomplete. */
const softwareVars = (context: Context) => {
  if (isFromBackup(context)) return intranetVars(context, { version: version(context) });
  const { softwareMayDiffer, dataMayBeHalf } = context.facts;
  return softwareMayDiffer === true || dataMayBeHalf === true ? reinstallVars(context) : undefined;
};
const version = ({ facts, instance }: Context) => facts.source?.version ?? instance.version;

/**
 * A destroyed instance returns from its last snapshot, or from its newest good backup: the same variables and data, and
 * the same URL if it is available.
 */
export const bringBack = defineOperation<Facts>({
  kind: "bring-back",
  label: "Bring back",
  userMessages: {
    cancelling:
      "The new droplet and its DNS record are removed. The instance's snapshots and backups stay, and cost what they did before.",
    cancelled:
      "The new droplet and its DNS record were removed. The instance's snapshots and backups weren't changed, and cost what they did before.",
    failed: whatIsThere,
  },
  facts: z.object(facts).partial(),
  status: { during: "restoring", done: "running", cancelled: "destroyed", failed: "failed" },
  mutating: true,
  allowed: (instance) => {
    if (instance.status !== "destroyed") return "It isn't destroyed.";
    const purged = unlessPurged(instance);
    return purged ?? (instance.isKept ? null : "It has no snapshot and no good backup to start from.");
  },
  visitorStatus: "is being brought back",
  leavesAtDigitalOcean: "own-droplet",
  leavesRequests: true,
  appliesConfiguration: true,
  steps: replacingLostDroplet<Facts>(
    undoneBy(
      requestDroplet("create-droplet", "Request a droplet"),
      destroyDroplet("undo-droplet", "Destroy the droplet"),
    ),
    dropletReady("droplet-ready"),
    playbookStep("provision", "Provision with Ansible", {
      playbook: "provision",
      vars: softwareVars,
    }),
    // The snapshot works with the address and the variables of its time, or with those of a change that had failed.
    playbookStep("reconfigure", "Set its address and variables with Ansible", {
      playbook: "reconfigure",
      vars: (context) => (softwareVars(context) === undefined ? intranetVars(context) : undefined),
    }),
    undoneBy(
      createDns("create-dns", "Create the DNS record"),
      removeDns("undo-dns", "Remove the DNS record"),
    ),
    sendBackup("send", { when: isFromBackup }),
    putBack("put-back", { when: isFromBackup, version }),
    appReady("app-ready", { version, learned: (context) => ({ instance: { version: version(context) } }) }),
    emailReady(),
  ),
  ended: (tx, { instanceId, facts }, state) => {
    const { previousSlug: slug } = z.object({ previousSlug: z.string() }).partial().parse(facts);
    if (state === "cancelled" && slug !== undefined)
      tx.update(instances).set({ slug }).where(eq(instances.id, instanceId)).run();
  },
});
