import { z } from "zod";
import { whatIsThere } from "./engine/aftermath.ts";
import { defineOperation, together, undoneBy } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { createDns, removeDns } from "./steps/dns.ts";
import { destroyDroplet, dropletReady, replacingLostDroplet, requestDroplet } from "./steps/droplet.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./steps/playbook.ts";
import { emailReady } from "./steps/readyMail.ts";

/** From one click to a running intranet. */
export const spawn = defineOperation<PlaybookFacts>({
  kind: "spawn",
  label: "Spawn",
  userMessages: {
    cancelling:
      "The droplet and the DNS record are removed, so nothing is left that costs money. Your input stays on this page.",
    cancelled: "The droplet and the DNS record were removed. Nothing is left that costs money.",
    failed: whatIsThere,
  },
  facts: z.object(playbookFacts).partial(),
  status: { during: "spawning", done: "running", cancelled: "destroyed", failed: "failed" },
  mutating: true,
  visitorStatus: "is being prepared",
  leavesAtDigitalOcean: "own-droplet",
  leavesRequests: true,
  appliesConfiguration: true,
  steps: replacingLostDroplet<PlaybookFacts>(
    undoneBy(
      requestDroplet("create-droplet", "Request a droplet"),
      destroyDroplet("undo-droplet", "Destroy the droplet"),
    ),
    dropletReady("droplet-ready"),
    together<PlaybookFacts>(
      [
        playbookStep("provision", "Provision with Ansible", {
          playbook: "provision",
          vars: (context) => intranetVars(context),
        }),
      ],
      [
        undoneBy(
          createDns("create-dns", "Create the DNS record"),
          removeDns("undo-dns", "Remove the DNS record"),
        ),
      ],
    ),
    appReady("app-ready"),
    emailReady(),
  ),
});
