import { expect, test } from "vitest";
import { type AnyDefinition, defineOperation, step, undoneBy } from "./engine/define.ts";
import { registry } from "./registry.ts";

/**
 * The plans, written out: a running operation finds its steps by these names and undoes them in this order. Branches that
 * run in parallel are in brackets.
 */
const plans: { [Kind in keyof typeof registry]?: { steps: string; undo: string; rescue?: string } } = {
  spawn: {
    steps: "create-droplet droplet-ready (provision | create-dns) app-ready email",
    undo: "undo-dns undo-droplet",
  },
  destroy: {
    steps: "snapshot remove-dns destroy-droplet",
    undo: "undo-settle undo-off undo-dns undo-ready undo-snapshot",
  },
  "bring-back": {
    steps: "create-droplet droplet-ready provision reconfigure create-dns send put-back app-ready email",
    undo: "undo-dns undo-droplet",
  },
  backup: { steps: "dump store verify", undo: "undo-backup" },
  restore: {
    steps: "settle-software settle dump store verify send put-back app-ready",
    undo: "undo-backup undo-dump undo-data undo-ready undo-store undo-verify",
    rescue: "rescue-dump rescue-data rescue-ready rescue-store rescue-verify",
  },
  "restore-as-new": {
    steps: "create-droplet droplet-ready provision send put-back create-dns app-ready email",
    undo: "undo-dns undo-droplet",
  },
  "test-restore": {
    steps: "create-droplet droplet-ready provision send put-back check throw-away",
    undo: "undo-droplet",
    rescue: "rescue-droplet",
  },
  "change-address": {
    steps: "new-dns reconfigure new-ready old-dns",
    undo: "undo-reconfigure undo-ready undo-dns",
  },
  "edit-variables": {
    steps: "reconfigure app-ready",
    undo: "undo-reconfigure undo-ready",
    rescue: "rescue-reconfigure rescue-ready",
  },
  restart: { steps: "reboot settle-software settle app-ready", undo: "" },
  "power-off": { steps: "switch-off", undo: "undo-off undo-ready" },
  "power-on": { steps: "switch-on settle-software settle app-ready", undo: "undo-on" },
  resize: {
    steps: "switch-off resize switch-on settle-software settle app-ready",
    undo: "undo-off undo-size undo-on undo-settle-software undo-settle undo-ready",
    rescue: "rescue-off rescue-size rescue-on rescue-settle-software rescue-settle rescue-ready",
  },
  upgrade: {
    steps: "dump store verify install app-ready",
    undo: "undo-backup undo-dump undo-send undo-data undo-start undo-install undo-ready undo-store undo-verify",
    rescue:
      "rescue-dump rescue-send rescue-data rescue-start rescue-install rescue-ready rescue-store rescue-verify",
  },
  purge: { steps: "remove-snapshots remove-backups", undo: "" },
  "remove-orphaned-droplet": { steps: "destroy-stray", undo: "" },
  "adopt-droplet": { steps: "take-over switch-on reach provision create-dns app-ready", undo: "" },
  "adopt-snapshot": { steps: "adopt-snapshot", undo: "" },
  "repair-drift": { steps: "repair", undo: "" },
  "delete-orphan": { steps: "delete-orphan", undo: "" },
  rename: {
    steps: "reconfigure app-ready",
    undo: "undo-reconfigure undo-ready",
    rescue: "rescue-reconfigure rescue-ready",
  },
};

const namesOf = (list: readonly { name: string }[]) => list.map(({ name }) => name).join(" ");
const planOf = ({ steps, undo, rescue }: AnyDefinition) => ({
  steps: steps
    .map((entry) => ("branches" in entry ? `(${entry.branches.map(namesOf).join(" | ")})` : entry.name))
    .join(" "),
  undo: namesOf(undo),
  ...(rescue === undefined ? {} : { rescue: namesOf(rescue.steps) }),
});

const written = Object.values(registry).filter(({ kind }) => plans[kind] !== undefined);
test.each(written)("the plan of $kind has its steps and its undo in order", (definition) => {
  expect(planOf(definition)).toEqual(plans[definition.kind]);
});

test("an operation that declares its undo twice is refused", () => {
  const name = (name: string) => step(name, name, () => Promise.reject(new Error("never")));
  const twice = { ...registry.restart, steps: [undoneBy(name("do"), name("undo"))], undo: [name("back")] };
  expect(() => defineOperation(twice)).toThrow("declares its undo twice");
});
