import { type Step, type StepContext, StepFailure } from "#server/operations/engine/define.ts";
import { intranetVars } from "./intranetVars.ts";
import { type PlaybookFacts, playbookStep } from "./playbook.ts";

export const mayBeHalf =
  "A restore or upgrade failed while it replaced the data, so the data may be incomplete. Cancel it to put the previous data back, or restore a backup as a new instance.";

/**
 * The variables for reinstalling over existing data. Throws if that data may be incomplete: the installer would start with
 * an empty database where it finds none, and the result would look healthy.
 */
export function reinstallVars<Facts extends PlaybookFacts>(context: StepContext<Facts>) {
  if (context.facts.dataMayBeHalf === true)
    throw new StepFailure(mayBeHalf, "the last step that replaced the data failed");
  return intranetVars(context);
}

/**
 * Gives the intranet its row's version, address, names and variables. Planned only if an earlier operation may have left
 * others in effect: no operation may report an intranet as running with those.
 */
export const reapplyConfiguration = <Facts extends PlaybookFacts>(name: string): Step<Facts>[] => [
  {
    ...playbookStep<Facts>(`${name}-software`, "Install its version with Ansible", {
      playbook: "provision",
      vars: reinstallVars,
    }),
    isPlanned: (facts) => facts.softwareMayDiffer === true,
  },
  {
    ...playbookStep<Facts>(name, "Set its address and variables with Ansible", {
      playbook: "reconfigure",
      vars: (context) => intranetVars(context),
    }),
    // Installing sets them too.
    isPlanned: (facts) => facts.mayDifferFromRow === true && facts.softwareMayDiffer !== true,
  },
];
