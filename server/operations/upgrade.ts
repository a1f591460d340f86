import { z } from "zod";
import { appReady } from "./answer.ts";
import { backupSteps, type DumpFacts, dumpFacts, endBackup, removeBackup } from "./backupSteps.ts";
import { defineOperation, type StepContext } from "./definition.ts";
import { intranetVars } from "./intranet.ts";
import { machineFacts } from "./machine.ts";
import { playbookFacts, playbookStep } from "./playbook.ts";
import { putBack, type Source, type SourceFacts, sendBackup, sourceFacts } from "./restoreSteps.ts";

type Facts = SourceFacts & DumpFacts & { version: string; previousVersion: string };
type Context = StepContext<Facts>;

const begun = ({ facts }: Context) => facts.runs?.install !== undefined;
const previous = ({ facts, instance }: Context) => facts.previousVersion ?? instance.version;

/** The backup this operation made, as something to restore from. */
function safetyBackup({ facts, operation }: Context): Source | undefined {
  const { dump } = facts;
  if (dump === undefined) return undefined;
  const { key, bytes, sha256, tree } = dump;
  return { id: operation.id, key, bytes, sha256, tree, version: facts.previousVersion ?? "" };
}

/** The version from before with the data from before: what the new one made of them may be unreadable for it. */
const goBack = (prefix: string) => [
  playbookStep<Facts>(`${prefix}-install`, "Install the version from before", {
    playbook: "provision",
    vars: (context) => (begun(context) ? intranetVars(context, { version: previous(context) }) : undefined),
  }),
  sendBackup<Facts>(`${prefix}-send`, { source: safetyBackup, when: begun }),
  putBack<Facts>(`${prefix}-data`, {
    label: "Put the data from before back",
    source: safetyBackup,
    version: previous,
    when: begun,
  }),
  appReady<Facts>(`${prefix}-ready`, { when: begun, version: previous }),
];

/** Another version of the software. It is backed up first, and goes back by itself when the new one does not answer. */
export const upgrade = defineOperation<Facts>({
  kind: "upgrade",
  label: "Upgrade",
  facts: z
    .object({
      ...machineFacts,
      ...playbookFacts,
      ...dumpFacts,
      ...sourceFacts,
      version: z.string(),
      previousVersion: z.string(),
    })
    .partial(),
  status: { during: "updating", done: "running", cancelled: "before", failed: "before" },
  mutating: true,
  cancelling:
    "The version and the data from before are put back. The backup that was made first stays in the list.",
  steps: [
    ...backupSteps(() => "before-upgrade", {
      dump: "Back up what is there now",
      store: "Store that backup",
      verify: "Verify that backup",
    }),
    playbookStep("install", "Install the new version with Ansible", {
      playbook: "provision",
      vars: (context) =>
        intranetVars(context, { version: context.facts.version ?? context.instance.version }),
    }),
    appReady("app-ready", {
      version: ({ facts, instance }) => facts.version ?? instance.version,
      learned: ({ facts }) => (facts.version === undefined ? {} : { instance: { version: facts.version } }),
    }),
  ],
  rescue: { redoFrom: "install", steps: goBack("rescue") },
  undo: [removeBackup("undo-backup", "Remove the unfinished backup"), ...goBack("undo")],
  ended: endBackup,
});
