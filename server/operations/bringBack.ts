import { z } from "zod";
import { appReady } from "./answer.ts";
import { defineOperation } from "./definition.ts";
import { createDns, removeDns } from "./dns.ts";
import { destroyDroplet, dropletReady, requestDroplet } from "./droplet.ts";
import { emailReady } from "./email.ts";
import { intranetVars } from "./intranet.ts";
import { machineFacts } from "./machine.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./playbook.ts";

type Facts = PlaybookFacts & { moved: boolean };

/** A destroyed instance returns from its last snapshot: the same variables and data, and the same URL if it is free. */
export const bringBack = defineOperation<Facts>({
  kind: "bring-back",
  label: "Bring back",
  facts: z.object({ ...machineFacts, ...playbookFacts, moved: z.boolean() }).partial(),
  status: { during: "restoring", done: "running", cancelled: "destroyed", failed: "failed" },
  mutating: true,
  cancelling:
    "The DNS record and the droplet are removed again, so that nothing is left that costs money but the snapshot it came from.",
  steps: [
    requestDroplet("create-droplet", "Request a droplet from the snapshot"),
    dropletReady("droplet-ready"),
    playbookStep<Facts>("reconfigure", "Set its new address with Ansible", {
      playbook: "reconfigure",
      vars: (context) => (context.facts.moved === true ? intranetVars(context) : undefined),
    }),
    createDns("create-dns", "Create the DNS record"),
    appReady("app-ready"),
    emailReady(),
  ],
  undo: [
    removeDns("undo-dns", "Remove the DNS record"),
    destroyDroplet("undo-droplet", "Destroy the droplet"),
  ],
});
