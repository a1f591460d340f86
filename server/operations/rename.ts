import { z } from "zod";
import { listNames } from "#db/listOrder.ts";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, type StepContext, undoneBy } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { playbookFacts, playbookStep } from "./steps/playbook.ts";

const names = z.object({ company: z.string(), contactName: z.string(), contactEmail: z.string() });
const facts = { ...playbookFacts, names, previousNames: names };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const begun = ({ facts }: Context) => facts.runs?.reconfigure !== undefined;

/** The playbook variables that apply the names on the droplet. */
const reconfigure = (which: "names" | "previousNames") => (context: Context) =>
  intranetVars(context, context.facts[which]);

/** Waits until the intranet runs with the company name, which is one of its variables, then saves the names. */
const shown = (which: "names" | "previousNames") => ({
  also: ({ facts, instance, variables, url, providers, signal }: Context) => {
    const value = facts[which]?.company ?? instance.company;
    const own = variables.filter(({ name }) => name !== "COMPANY");
    // Older instances may have a COMPANY variable of their own, which then wins.
    const all = own.length < variables.length ? variables : [...own, { name: "COMPANY", value }];
    return providers.probe.variablesInEffect(url, all, signal);
  },
  learned: ({ facts }: Context) => {
    const names = facts[which];
    return names === undefined ? {} : { instance: { ...names, ...listNames(names.company) } };
  },
});

const goBack = (part: "rescue" | "undo") => [
  playbookStep<Facts>(`${part}-reconfigure`, "Put the previous name back", {
    playbook: "reconfigure",
    vars: (context) => (begun(context) ? reconfigure("previousNames")(context) : undefined),
  }),
  appReady<Facts>(`${part}-ready`, { ...shown("previousNames"), when: begun }),
];

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
  steps: [
    undoneBy(
      playbookStep<Facts>("reconfigure", "Reconfigure with Ansible", {
        playbook: "reconfigure",
        vars: reconfigure("names"),
      }),
      ...goBack("undo"),
    ),
    appReady("app-ready", shown("names")),
  ],
  rescue: { redoFrom: "reconfigure", steps: goBack("rescue") },
});
