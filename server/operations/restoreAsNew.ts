import { z } from "zod";
import { whatIsThere } from "./engine/aftermath.ts";
import { defineOperation, undoneBy } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { createDns, removeDns } from "./steps/dns.ts";
import { destroyDroplet, dropletReady, replacingLostDroplet, requestDroplet } from "./steps/droplet.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { playbookStep } from "./steps/playbook.ts";
import { emailReady } from "./steps/readyMail.ts";
import { putBack, type SourceFacts, sendBackup, sourceFacts } from "./steps/restoreData.ts";

/** A new instance that begins with a backup's data. */
export const restoreAsNew = defineOperation<SourceFacts>({
  kind: "restore-as-new",
  label: "Restore as a new instance",
  userMessages: {
    cancelling:
      "The new droplet and its DNS record are removed, so nothing new is left that costs money. The backup stays.",
    cancelled: "The new droplet and its DNS record were removed. Nothing new is left that costs money.",
    failed: whatIsThere,
  },
  facts: z.object(sourceFacts).partial(),
  status: { during: "spawning", done: "running", cancelled: "destroyed", failed: "failed" },
  mutating: true,
  visitorStatus: "is being prepared",
  leavesAtDigitalOcean: "own-droplet",
  leavesRequests: true,
  appliesConfiguration: true,
  steps: replacingLostDroplet<SourceFacts>(
    undoneBy(
      requestDroplet("create-droplet", "Request a droplet"),
      destroyDroplet("undo-droplet", "Destroy the droplet"),
    ),
    dropletReady("droplet-ready"),
    playbookStep("provision", "Provision with Ansible", {
      playbook: "provision",
      vars: (context) => intranetVars(context),
    }),
    sendBackup("send"),
    putBack("put-back"),
    // Nobody is led there before its data is: what was written earlier would be replaced.
    undoneBy(
      createDns("create-dns", "Create the DNS record"),
      removeDns("undo-dns", "Remove the DNS record"),
    ),
    appReady("app-ready"),
    emailReady(),
  ),
});
