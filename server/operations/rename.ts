import { z } from "zod";
import { listNames } from "#db/listOrder.ts";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type StepContext, undoneBy } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { machineFacts } from "./steps/machineFacts.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./steps/playbook.ts";

const names = z.object({ company: z.string(), contactName: z.string(), contactEmail: z.string() });
type Names = z.infer<typeof names>;
type Facts = PlaybookFacts & { names: Names; previousNames: Names };
type Context = StepContext<Facts>;

const begun = ({ facts }: Context) => facts.runs?.reconfigure !== undefined;

/** Brings the names into effect on the droplet. */
const reconfigure = (which: "names" | "previousNames") => (context: Context) =>
  intranetVars(context, context.facts[which]);

/** The intranet shows the company's name, which is one of the variables it works with. */
const shown = (which: "names" | "previousNames") => ({
  also: ({ facts, instance, variables, url, providers, signal }: Context) => {
    const value = facts[which]?.company ?? instance.company;
    const own = variables.filter(({ name }) => name !== "COMPANY");
    // Variables from before the name belonged to the system may hold another one, which then counts.
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

/** Another name for the company or its contact, which the intranet shows; the names from before come back on failure. */
export const rename = defineOperation<Facts>({
  kind: "rename",
  label: "Rename",
  userMessages: {
    cancelling: "The previous company name and contact are put back.",
    cancelled: "The instance kept its previous company name and contact.",
    failed: unlessStuck("The instance kept its previous company name and contact."),
  },
  facts: z.object({ ...machineFacts, ...playbookFacts, names, previousNames: names }).partial(),
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
