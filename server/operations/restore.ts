import { z } from "zod";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import {
  answeredBefore,
  backupSteps,
  changedBy,
  dumpFacts,
  endBackup,
  removeBackup,
  replacedData,
  stoppedApp,
} from "./steps/dump.ts";
import { reapplyConfiguration } from "./steps/reapplyConfiguration.ts";
import {
  keptByRound,
  putBack,
  putDataBack,
  sendBackup,
  sourceFacts,
  unlessDataMayBeHalf,
} from "./steps/restoreData.ts";

const facts = { ...dumpFacts, ...sourceFacts };
type Facts = FactsOf<typeof facts>;

/** The data from before returns, and the app is up again; what was written meanwhile is in a backup of its own. */
const wayBack = (part: "rescue" | "undo") => {
  const replaced = replacedData(part, { when: changedBy("put-back") });
  return [
    replaced.dump,
    putDataBack(`${part}-data`, "Put the previous data back", { when: stoppedApp, putsBack: true }),
    appReady<Facts>(`${part}-ready`, { when: answeredBefore }),
    ...replaced.store,
  ];
};

/**
 * A backup's data takes the place of what is there. What is there is backed up first, with the app stopped, so that
 * nothing is written that is in neither; it comes back on failure. Each round makes a backup of its own.
 */
export const restore = defineOperation<Facts>({
  kind: "restore",
  label: "Restore",
  userMessages: {
    cancelling: "The previous data is put back. A finished backup of it stays in the list.",
    cancelled: "The intranet kept its data. A finished backup of it stays in the list.",
    failed: unlessStuck("The intranet kept its data."),
  },
  facts: z.object(facts).partial(),
  status: { during: "restoring", done: "running", cancelled: "before", failed: "before" },
  mutating: true,
  allowed: whileOn,
  noRetry: unlessDataMayBeHalf,
  visitorStatus: "is being restored",
  appliesConfiguration: true,
  steps: [
    ...reapplyConfiguration<Facts>("settle"),
    ...backupSteps(
      { reason: () => "before-restore", stop: true },
      {
        dump: "Back up what is there now",
        store: "Store that backup",
        verify: "Verify that backup",
      },
    ),
    sendBackup("send"),
    putBack("put-back", { keptAs: keptByRound }),
    appReady("app-ready"),
  ],
  rescue: { redoFrom: "dump", steps: wayBack("rescue") },
  undo: [removeBackup("undo-backup", "Remove the unfinished backup"), ...wayBack("undo")],
  ended: endBackup,
});
