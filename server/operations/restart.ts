import { z } from "zod";
import { unlessBusy, whileOn, withDroplet } from "#server/instances/rules.ts";
import { whatIsThere } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, undoneBy } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { playbookFacts } from "./steps/playbook.ts";
import { type ActionFacts, actionFacts, reboot, switchOff, switchOn } from "./steps/power.ts";
import { reapplyConfiguration } from "./steps/reapplyConfiguration.ts";

const fields = { ...actionFacts, ...playbookFacts };
type Facts = FactsOf<typeof fields>;

const facts = z.object(fields).partial();

/** Restarts the droplet, and with it the intranet. */
export const restart = defineOperation<Facts>({
  kind: "restart",
  label: "Restart",
  userMessages: {
    cancelling:
      "If the restart has begun, it finishes anyway, but the Spawner doesn't wait for the intranet to answer.",
    cancelled: "If the restart had begun, it finishes anyway.",
    failed: whatIsThere,
  },
  facts,
  status: { during: "updating", done: "running", cancelled: "before", failed: "failed" },
  mutating: true,
  allowed: whileOn,
  visitorStatus: "is being restarted",
  appliesConfiguration: true,
  steps: [
    reboot("reboot", "Restart the droplet"),
    ...reapplyConfiguration<Facts>("settle"),
    appReady("app-ready"),
  ],
});

/** Switches the droplet off. It keeps its data and its address, and costs the same. */
export const powerOff = defineOperation<Facts>({
  kind: "power-off",
  label: "Power off",
  userMessages: {
    cancelling: "The droplet is switched back on.",
    cancelled: "The droplet was left on.",
    failed: whatIsThere,
  },
  facts,
  status: { during: "updating", done: "off", cancelled: "before", failed: "failed" },
  mutating: true,
  allowed: (instance) =>
    withDroplet(instance) ?? (instance.status === "off" ? "It's already switched off." : null),
  steps: [
    undoneBy(
      switchOff<ActionFacts>("switch-off", "Switch the droplet off"),
      switchOn("undo-off", "Switch the droplet on again"),
      appReady("undo-ready", { when: ({ operation }) => operation.statusBefore === "running" }),
    ),
  ],
});

/** Switches the droplet on and waits for the intranet. */
export const powerOn = defineOperation<Facts>({
  kind: "power-on",
  label: "Power on",
  userMessages: {
    cancelling: "The droplet is switched off again.",
    cancelled: "The droplet was left off, and costs the same.",
    failed: whatIsThere,
  },
  facts,
  status: { during: "updating", done: "running", cancelled: "off", failed: "failed" },
  mutating: true,
  allowed: (instance) =>
    instance.status === "off" || instance.status === "failed"
      ? withDroplet(instance)
      : (unlessBusy(instance) ?? "It's already switched on."),
  visitorStatus: "is being started",
  appliesConfiguration: true,
  steps: [
    undoneBy(
      switchOn<Facts>("switch-on", "Switch the droplet on"),
      switchOff("undo-on", "Switch the droplet off again"),
    ),
    ...reapplyConfiguration<Facts>("settle"),
    appReady("app-ready"),
  ],
});
