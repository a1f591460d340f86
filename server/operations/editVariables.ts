import { z } from "zod";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, type StepContext, undoneBy } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { playbookFacts, playbookStep } from "./steps/playbook.ts";

const facts = { ...playbookFacts, variableSet: z.number(), previousSet: z.number() };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const begun = ({ facts }: Context) => facts.runs?.reconfigure !== undefined;
const inEffect = (which: "variableSet" | "previousSet") => (context: Context) =>
  context.providers.probe.variablesInEffect(
    context.url,
    context.variablesOf(context.facts[which] ?? context.instance.variableSet),
    context.signal,
  );

const putBack = (name: string) =>
  playbookStep<Facts>(name, "Revert to the previous variables", {
    playbook: "reconfigure",
    vars: (context) => {
      const { previousSet } = context.facts;
      if (!begun(context) || previousSet === undefined) return undefined;
      return intranetVars(context, { variables: context.variablesOf(previousSet) });
    },
  });

const asBefore = (name: string) =>
  appReady<Facts>(name, {
    when: begun,
    also: inEffect("previousSet"),
    learned: ({ facts }) =>
      facts.previousSet === undefined ? {} : { instance: { variableSet: facts.previousSet } },
  });

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
  steps: [
    undoneBy(
      playbookStep<Facts>("reconfigure", "Reconfigure with Ansible", {
        playbook: "reconfigure",
        vars: (context) => intranetVars(context),
      }),
      putBack("undo-reconfigure"),
      asBefore("undo-ready"),
    ),
    appReady("app-ready", {
      also: inEffect("variableSet"),
      learned: ({ facts }) =>
        facts.variableSet === undefined ? {} : { instance: { variableSet: facts.variableSet } },
    }),
  ],
  rescue: { redoFrom: "reconfigure", steps: [putBack("rescue-reconfigure"), asBefore("rescue-ready")] },
});
