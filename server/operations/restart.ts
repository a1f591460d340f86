import { z } from "zod";
import { appReady } from "./answer.ts";
import { defineOperation } from "./definition.ts";
import { machineFacts } from "./machine.ts";
import { type ActionFacts, actionFacts, reboot, switchOff, switchOn } from "./power.ts";

const facts = z.object({ ...machineFacts, ...actionFacts }).partial();

/** Restarts the droplet, and with it the intranet. */
export const restart = defineOperation<ActionFacts>({
  kind: "restart",
  label: "Restart",
  facts,
  status: { during: "updating", done: "running", cancelled: "before", failed: "failed" },
  mutating: true,
  cancelling: "A restart that has begun comes to its end by itself; nobody waits for it any more.",
  steps: [reboot("reboot", "Restart the droplet"), appReady("app-ready")],
  undo: [],
});

/** Switches the droplet off. It keeps its data and its address, and costs the same. */
export const powerOff = defineOperation<ActionFacts>({
  kind: "power-off",
  label: "Power off",
  facts,
  status: { during: "updating", done: "off", cancelled: "before", failed: "failed" },
  mutating: true,
  cancelling: "The droplet is switched on again.",
  steps: [switchOff("switch-off", "Switch the droplet off")],
  undo: [
    switchOn("undo-off", "Switch the droplet on again"),
    appReady("undo-ready", { when: ({ operation }) => operation.statusBefore === "running" }),
  ],
});

/** Switches the droplet on and waits for the intranet. */
export const powerOn = defineOperation<ActionFacts>({
  kind: "power-on",
  label: "Power on",
  facts,
  status: { during: "updating", done: "running", cancelled: "off", failed: "failed" },
  mutating: true,
  cancelling: "The droplet is switched off again.",
  steps: [switchOn("switch-on", "Switch the droplet on"), appReady("app-ready")],
  undo: [switchOff("undo-on", "Switch the droplet off again")],
});
