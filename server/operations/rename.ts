import { z } from "zod";
import { listNames } from "#db/listOrder.ts";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, type StepContext } from "./engine/define.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { applyNewConfiguration } from "./steps/newConfiguration.ts";
import { playbookFacts } from "./steps/playbook.ts";

const names = z.object({ company: z.string(), contactName: z.string(), contactEmail: z.string() });
const facts = { ...playbookFacts, names, previousNames: names };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const namesOf = ({ facts }: Context, which: "new" | "previous") =>
  which === "new" ? facts.names : facts.previousNames;

/** Changes the company name and contact, which the intranet shows. A failure puts the previous ones back. */
export const rename = defineOperation<Facts>({
  kind: "rename",
  label: "Rename",
  userMessages: {
    cancelling: "The previous company name and contact are put back.",
    cancelled: "The instance kept its previous company name and contact.",
    failed: unlessStuck("The instance kept its previous company name and contact."),
  },
  facts: z.object(facts).partial(),
  status: { during: "updating", done: "running", cancelled: "before", failed: "before" },
  mutating: true,
  allowed: whileOn,
  visitorStatus: "is being updated",
  appliesConfiguration: true,
  changesConfiguration: true,
  ...applyNewConfiguration<Facts>({
    putBackLabel: "Put the previous name back",
    vars: (context, which) => intranetVars(context, namesOf(context, which)),
    missing: (context, which) => {
      const { instance, variables, url, providers, signal } = context;
      const value = namesOf(context, which)?.company ?? instance.company;
      const own = variables.filter(({ name }) => name !== "COMPANY");
      // Older instances may have a COMPANY variable of their own, which then wins.
      const all = own.length < variables.length ? variables : [...own, { name: "COMPANY", value }];
      return providers.probe.variablesInEffect(url, all, signal);
    },
    learned: (context, which) => {
      const names = namesOf(context, which);
      return names === undefined ? {} : { instance: { ...names, ...listNames(names.company) } };
    },
  }),
});
