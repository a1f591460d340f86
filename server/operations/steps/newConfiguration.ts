import {
  type OperationDefinition,
  type Outcome,
  type StepContext,
  undoneBy,
} from "#server/operations/engine/define.ts";
import type { JsonValue } from "#server/providers/playbooks/playbooks.ts";
import { appReady } from "./answer.ts";
import { type PlaybookFacts, playbookStep } from "./playbook.ts";

type Which = "new" | "previous";
type NewConfiguration<Facts> = {
  /** What the step that puts the previous configuration back is called. */
  putBackLabel: string;
  /** The playbook's variables for one of the two; undefined if there is nothing to apply. */
  vars: (context: StepContext<Facts>, which: Which) => Record<string, JsonValue> | undefined;
  /** What isn't in effect yet, in a sentence; undefined once everything is. */
  missing: (context: StepContext<Facts>, which: Which) => Promise<string | undefined>;
  /** What the row says once it is in effect. */
  learned: (
    context: StepContext<Facts>,
    which: Which,
  ) => Omit<Outcome<Facts>, "done" | "afterMs" | "progress">;
};

/**
 * The steps of an operation that applies another configuration to the software that is there. The row gets it once the
 * intranet runs with it; a failure or a cancellation puts the previous one back.
 */
export function applyNewConfiguration<Facts extends PlaybookFacts>({
  putBackLabel,
  vars,
  missing,
  learned,
}: NewConfiguration<Facts>): Pick<OperationDefinition<Facts>, "steps" | "rescue"> {
  const begun = ({ facts }: StepContext<Facts>) => facts.runs?.reconfigure !== undefined;
  const inEffect = (which: Which) => ({
    also: (context: StepContext<Facts>) => missing(context, which),
    learned: (context: StepContext<Facts>) => learned(context, which),
  });
  const goBack = (part: "rescue" | "undo") => [
    playbookStep<Facts>(`${part}-reconfigure`, putBackLabel, {
      playbook: "reconfigure",
      vars: (context) => (begun(context) ? vars(context, "previous") : undefined),
    }),
    appReady<Facts>(`${part}-ready`, { ...inEffect("previous"), when: begun }),
  ];
  return {
    steps: [
      undoneBy(
        playbookStep<Facts>("reconfigure", "Reconfigure with Ansible", {
          playbook: "reconfigure",
          vars: (context) => vars(context, "new"),
        }),
        ...goBack("undo"),
      ),
      appReady<Facts>("app-ready", inEffect("new")),
    ],
    rescue: { redoFrom: "reconfigure", steps: goBack("rescue") },
  };
}
