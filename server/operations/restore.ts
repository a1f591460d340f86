import { z } from "zod";
import { appReady } from "./answer.ts";
import { backupSteps, type DumpFacts, dumpFacts, endBackup, removeBackup } from "./backupSteps.ts";
import { defineOperation, type StepContext } from "./definition.ts";
import { machineFacts } from "./machine.ts";
import { playbookFacts } from "./playbook.ts";
import { putBack, type SourceFacts, sendBackup, sourceFacts, takeBack } from "./restoreSteps.ts";

type Facts = SourceFacts & DumpFacts;

const begun = ({ facts }: StepContext<Facts>) => facts.runs?.["put-back"] !== undefined;

/** A backup's data takes the place of what is there; what is there is backed up first, and comes back on failure. */
export const restore = defineOperation<Facts>({
  kind: "restore",
  label: "Restore",
  facts: z.object({ ...machineFacts, ...playbookFacts, ...dumpFacts, ...sourceFacts }).partial(),
  status: { during: "restoring", done: "running", cancelled: "before", failed: "before" },
  mutating: true,
  cancelling: "The data from before is put back. The backup that was made of it first stays in the list.",
  steps: [
    ...backupSteps(() => "before-restore", {
      dump: "Back up what is there now",
      store: "Store that backup",
      verify: "Verify that backup",
    }),
    sendBackup("send"),
    putBack("put-back"),
    appReady("app-ready"),
  ],
  rescue: {
    redoFrom: "put-back",
    steps: [takeBack("rescue-data", "put-back"), appReady("rescue-ready", { when: begun })],
  },
  undo: [
    removeBackup("undo-backup", "Remove the unfinished backup"),
    takeBack("undo-data", "put-back"),
    appReady("undo-ready", { when: begun }),
  ],
  ended: endBackup,
});
