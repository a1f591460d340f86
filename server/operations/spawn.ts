import { z } from "zod";
import { whatIsThere } from "./aftermath.ts";
import { appReady } from "./answer.ts";
import { defineOperation, together } from "./definition.ts";
import { createDns, removeDns } from "./dns.ts";
import { destroyDroplet, dropletReady, replacingLostDroplet, requestDroplet } from "./droplet.ts";
import { emailReady } from "./email.ts";
import { intranetVars } from "./intranet.ts";
import { machineFacts } from "./machine.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./playbook.ts";

/** From one click to a running intranet. */
export const spawn = defineOperation<PlaybookFacts>({
  kind: "spawn",
  label: "Spawn",
  sentences: {
    cancelling:
      "The droplet and the DNS record are removed, so nothing is left that costs money. What you typed stays on this page.",
    cancelled: "The droplet and the DNS record were removed. Nothing is left that costs money.",
    failed: whatIsThere,
  },
  facts: z.object({ ...machineFacts, ...playbookFacts }).partial(),
  status: { during: "spawning", done: "running", cancelled: "destroyed", failed: "failed" },
  mutating: true,
  steps: replacingLostDroplet<PlaybookFacts>(
    requestDroplet("create-droplet", "Request a droplet"),
    dropletReady("droplet-ready"),
    together<PlaybookFacts>(
      [
        playbookStep("provision", "Provision with Ansible", {
          playbook: "provision",
          vars: (context) => intranetVars(context),
        }),
      ],
      [createDns("create-dns", "Create the DNS record")],
    ),
    appReady("app-ready"),
    emailReady(),
  ),
  undo: [
    removeDns("undo-dns", "Remove the DNS record"),
    destroyDroplet("undo-droplet", "Destroy the droplet"),
  ],
});
