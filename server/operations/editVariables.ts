import { z } from "zod";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, type StepContext } from "./engine/define.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { applyNewConfiguration } from "./steps/newConfiguration.ts";
import { playbookFacts } from "./steps/playbook.ts";

const facts = { ...playbookFacts, variableSet: z.number(), previousSet: z.number() };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const setOf = ({ facts }: Context, which: "new" | "previous") =>
  which === "new" ? facts.variableSet : facts.previousSet;

/** Another set of variables, applied to the software that is there; the set from before comes back on failure. */
export const editVariables = defineOperation<Facts>({
  kind: "edit-variables",
  label: "Edit variables",
  userMessages: {
    cancelling: "The previous variables are put back.",
    cancelled: "The intranet kept its previous variables.",
    failed: unlessStuck("The intranet kept its previous variables."),
  },
  facts: z.object(facts).partial(),
  status: { during: "updating", done: "running", cancelled: "before", failed: "before" },
  mutating: true,
  allowed: whileOn,
  visitorStatus: "is being updated",
  appliesConfiguration: true,
  changesConfiguration: true,
  ...applyNewConfiguration<Facts>({
    putBackLabel: "Revert to the previous variables",
    vars: (context, which) => {
      if (which === "new") return intranetVars(context);
      const { previousSet } = context.facts;
      if (previousSet === undefined) return undefined;
      return intranetVars(context, { variables: context.variablesOf(previousSet) });
    },
    missing: (context, which) => {
      const set = setOf(context, which) ?? context.instance.variableSet;
      return context.providers.probe.variablesInEffect(context.url, context.variablesOf(set), context.signal);
    },
    learned: (context, which) => {
      const variableSet = setOf(context, which);
      return variableSet === undefined ? {} : { instance: { variableSet } };
    },
  }),
});
