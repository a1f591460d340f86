import { and, eq, isNull } from "drizzle-orm";
import { z } from "zod";
import { instanceStatuses, instances } from "#db/schema.ts";
import { whatIsThere } from "./engine/aftermath.ts";
import {
  defineOperation,
  done,
  type FactsOf,
  later,
  type Outcome,
  poll,
  type StepContext,
  StepFailure,
  step,
} from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { createDns } from "./steps/dns.ts";
import { driftFacts, expectTagged, findingOf, forget } from "./steps/driftFinding.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { machineIs, machineOf } from "./steps/machineFacts.ts";
import { playbookFacts, playbookStep } from "./steps/playbook.ts";
import { actionFacts, switchOn } from "./steps/power.ts";

/** What the instance's row said before. */
const before = z.object({
  status: z.enum(instanceStatuses),
  destroyedAt: z.number().nullable(),
  keptUntil: z.number().nullable(),
  purgedAt: z.number().nullable(),
});
const facts = { ...driftFacts, ...playbookFacts, ...actionFacts, before };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const notAdopted = "The droplet wasn't adopted. It may still exist and cost money.";
const addressWithinMs = 10 * 60_000;

/** From here on the droplet is the instance's: its price is counted, and Destroy destroys it. */
async function takeOver(context: Context): Promise<Outcome<Facts>> {
  const { instance, facts, providers } = context;
  const one = await findingOf(context, ["orphaned-droplet"]);
  const { dropletId } = one;
  const droplet = await providers.digitalocean.getDroplet(dropletId);
  if (droplet === undefined)
    throw new StepFailure("The droplet is gone, so there is nothing to adopt.", `droplet ${dropletId}`);
  expectTagged(droplet, one);
  if (instance.dropletId !== null && instance.dropletId !== dropletId)
    throw new StepFailure(
      `${instance.company} already has another droplet.`,
      `droplet ${instance.dropletId}`,
    );
  const machine = machineIs(facts, { dropletId, address: undefined, hostKey: undefined });
  const { id: accountId } = await providers.digitalocean.account();
  const { sizeSlug: size, priceMonthlyCents } = droplet;
  return done({
    facts: { ...machine.facts, accountId },
    instance: {
      ...machine.instance,
      accountId,
      ...{ size, priceMonthlyCents },
      ...{ destroyedAt: null, keptUntil: null, purgedAt: null },
    },
    rows: forget(one),
  });
}

/** Its address, and at the first contact its host key, which is pinned as a new droplet's is. */
async function reach(context: Context): Promise<Outcome<Facts>> {
  const { facts, instance, providers, site } = context;
  const { address, hostKey } = machineOf(context);
  if (address !== undefined && hostKey !== undefined) return done();
  const droplet =
    instance.dropletId === null ? undefined : await providers.digitalocean.getDroplet(instance.dropletId);
  if (droplet === undefined)
    throw new StepFailure("The droplet is gone.", `droplet ${instance.dropletId ?? "unknown"}`);
  if (droplet.address === undefined) return later({ progress: { label: "Waiting for its address" } });
  const shown = await providers.scanHostKey({ address: droplet.address, port: site.sshPort });
  if (shown === undefined) return later({ progress: { label: "Waiting for its first answer" } });
  return done(machineIs(facts, { dropletId: droplet.id, address: droplet.address, hostKey: shown }));
}

/**
 * An instance without a droplet gets the one that was bought for it last and that no row knew. The playbook leaves
 * alone what is there already, so that it serves a droplet that never came to life and one that ran for years.
 */
export const adoptDroplet = defineOperation<Facts>({
  kind: "adopt-droplet",
  label: "Adopt a droplet",
  userMessages: {
    cancelling: "Once the instance has the droplet, the only way to undo this is Destroy.",
    cancelled: notAdopted,
    failed: (aftermath) => (aftermath.instance.dropletId === null ? notAdopted : whatIsThere(aftermath)),
  },
  facts: z.object(facts).partial(),
  status: { during: "restoring", done: "running", cancelled: "before", failed: "failed" },
  mutating: true,
  driftAction: "adopt",
  steps: [
    step("take-over", "Adopt the droplet", takeOver, { final: true }),
    switchOn("switch-on", "Switch the droplet on"),
    poll(
      "reach",
      "Wait for the droplet",
      {
        everyMs: 1000,
        giveUp: {
          afterMs: addressWithinMs,
          userMessage: "The droplet didn't answer over SSH within 10 minutes.",
        },
      },
      reach,
    ),
    playbookStep("provision", "Provision with Ansible", {
      playbook: "provision",
      vars: (context) => intranetVars(context),
    }),
    createDns("create-dns", "Create the DNS record"),
    appReady("app-ready"),
  ],
  // Without the droplet it is what it was.
  ended: (tx, { instanceId, facts }) => {
    const known = before.safeParse(facts.before);
    if (known.success)
      tx.update(instances)
        .set(known.data)
        .where(and(eq(instances.id, instanceId), isNull(instances.dropletId)))
        .run();
  },
});
