import { z } from "zod";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, type StepContext } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { playbookFacts } from "./steps/playbook.ts";
import { actionFacts, changeSize, switchOff, switchOn } from "./steps/power.ts";
import { reapplyConfiguration } from "./steps/reapplyConfiguration.ts";

const size = z.object({ slug: z.string(), priceMonthlyCents: z.number() });
const facts = { ...actionFacts, ...playbookFacts, size, previousSize: size };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const asBefore = (prefix: string) => [
  switchOff<Facts>(`${prefix}-off`, "Switch the droplet off"),
  changeSize<Facts>(`${prefix}-size`, "Go back to the previous size", {
    size: ({ facts, instance }: Context) => facts.previousSize?.slug ?? instance.size,
  }),
  switchOn<Facts>(`${prefix}-on`, "Switch the droplet on again"),
  ...reapplyConfiguration<Facts>(`${prefix}-settle`),
  appReady<Facts>(`${prefix}-ready`, {
    learned: ({ facts }) =>
      facts.previousSize === undefined
        ? {}
        : {
            instance: {
              size: facts.previousSize.slug,
              priceMonthlyCents: facts.previousSize.priceMonthlyCents,
            },
          },
  }),
];

/** More or less memory and CPU. The disk stays, so that it can be made smaller again. */
export const resize = defineOperation<Facts>({
  kind: "resize",
  label: "Resize",
  userMessages: {
    cancelling: "The droplet goes back to its previous size and is switched on.",
    cancelled: "The droplet kept its previous size.",
    failed: unlessStuck("The droplet kept its previous size."),
  },
  facts: z.object(facts).partial(),
  status: { during: "updating", done: "running", cancelled: "running", failed: "running" },
  mutating: true,
  allowed: whileOn,
  visitorStatus: "is being resized",
  appliesConfiguration: true,
  steps: [
    switchOff("switch-off", "Switch the droplet off"),
    changeSize("resize", "Change its size", {
      size: ({ facts, instance }) => facts.size?.slug ?? instance.size,
    }),
    switchOn("switch-on", "Switch the droplet on"),
    ...reapplyConfiguration<Facts>("settle"),
    appReady("app-ready", {
      learned: ({ facts }) =>
        facts.size === undefined
          ? {}
          : { instance: { size: facts.size.slug, priceMonthlyCents: facts.size.priceMonthlyCents } },
    }),
  ],
  rescue: { redoFrom: "switch-off", steps: asBefore("rescue") },
  undo: asBefore("undo"),
});
