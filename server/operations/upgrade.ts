import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { instances, type JsonObject } from "#db/schema.ts";
import { whileOn } from "#server/instances/rules.ts";
import { unlessStuck } from "./engine/aftermath.ts";
import { defineOperation, type FactsOf, type StepContext } from "./engine/define.ts";
import { appReady } from "./steps/answer.ts";
import {
  answeredBefore,
  backupIdOf,
  backupSteps,
  changedBy,
  dumpFacts,
  endBackup,
  removeBackup,
  replacedData,
  type Source,
  stoppedApp,
} from "./steps/dump.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { playbookStep } from "./steps/playbook.ts";
import {
  noWayBack,
  putBack,
  putDataBack,
  sendBackup,
  sourceFacts,
  unlessDataMayBeHalf,
} from "./steps/restoreData.ts";

const fields = { ...dumpFacts, ...sourceFacts, version: z.string(), previousVersion: z.string() };
type Facts = FactsOf<typeof fields>;
type Context = StepContext<Facts>;

const begun = changedBy("install");
const wished = ({ facts, instance }: Context) => facts.version ?? instance.version;
const previous = ({ facts, instance }: Context) => facts.previousVersion ?? instance.version;
const safetyBackup = ({ facts }: Context): Source | undefined => facts.wayBack;

/**
 * The version from before with the data from before: what the new one made of them may be unreadable for it. The data
 * comes first, because the installation starts the app. What was written meanwhile is in a backup of its own.
 */
const goBack = (part: "rescue" | "undo") => {
  const replaced = replacedData(part, { when: begun, version: wished });
  return [
    replaced.dump,
    sendBackup<Facts>(`${part}-send`, { source: safetyBackup, when: begun }),
    putBack<Facts>(`${part}-data`, {
      label: "Put the previous data back",
      source: safetyBackup,
      version: previous,
      when: begun,
      keptAs: (context) => backupIdOf(context, { part }),
      leaveStopped: true,
    }),
    putDataBack(`${part}-start`, "Start the intranet again", {
      when: (context) => stoppedApp(context) && !begun(context),
      putsBack: false,
    }),
    playbookStep<Facts>(`${part}-install`, "Install the previous version", {
      playbook: "provision",
      vars: (context) => (begun(context) ? intranetVars(context, { version: previous(context) }) : undefined),
      learned: (context) => ({ facts: noWayBack, instance: { version: previous(context) } }),
    }),
    appReady<Facts>(`${part}-ready`, { when: answeredBefore, version: previous }),
    ...replaced.store,
  ];
};

const newer = (one: string, other: string) =>
  one.localeCompare(other, "en", { numeric: true }) > 0 ? one : other;

/**
 * Half way through, either version may have opened the data last, and only the newer one can surely read it. So the row
 * gets the newer version for later operations to install, unless this one is retried or cancelled.
 */
function leaveNewer(tx: Tx, operation: { instanceId: string; facts: JsonObject }): void {
  const known = facts.parse(operation.facts);
  const { version, previousVersion } = known;
  if (version === undefined || previousVersion === undefined || !begun({ facts: known })) return;
  tx.update(instances)
    .set({ version: newer(version, previousVersion) })
    .where(eq(instances.id, operation.instanceId))
    .run();
}

const facts = z.object(fields).partial();

/**
 * Another version of the software. It is backed up first, with the app stopped, so that nothing is written that is not
 * in the backup; it goes back by itself when the new one does not answer. Each round makes a backup of its own.
 */
export const upgrade = defineOperation<Facts>({
  kind: "upgrade",
  label: "Upgrade",
  userMessages: {
    cancelling:
      "The previous version and its data are put back. A finished backup of them stays in the list.",
    cancelled: "The intranet kept its version and data. A finished backup of them stays in the list.",
    failed: unlessStuck("The intranet kept its version and data."),
  },
  facts,
  status: { during: "updating", done: "running", cancelled: "before", failed: "before" },
  mutating: true,
  allowed: whileOn,
  noRetry: unlessDataMayBeHalf,
  visitorStatus: "is being updated",
  appliesConfiguration: true,
  changesSoftware: true,
  steps: [
    ...backupSteps(
      { reason: () => "before-upgrade", stop: true },
      {
        dump: "Back up what is there now",
        store: "Store that backup",
        verify: "Verify that backup",
      },
    ),
    playbookStep("install", "Install the new version with Ansible", {
      playbook: "provision",
      vars: (context) => intranetVars(context, { version: wished(context) }),
    }),
    appReady("app-ready", {
      version: wished,
      learned: ({ facts }) => (facts.version === undefined ? {} : { instance: { version: facts.version } }),
    }),
  ],
  rescue: { redoFrom: "dump", steps: goBack("rescue") },
  undo: [removeBackup("undo-backup", "Remove the unfinished backup"), ...goBack("undo")],
  ended: (tx, operation, state, now) => {
    endBackup(tx, operation, state, now);
    if (state === "failed") leaveNewer(tx, operation);
  },
});
