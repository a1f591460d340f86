import { z } from "zod";
import { backupReasons } from "#db/schema.ts";
import { whileOn } from "#server/instances/rules.ts";
import { defineOperation } from "./engine/define.ts";
import { backupSteps, type DumpFacts, dumpFacts, endBackup, removeBackup } from "./steps/dump.ts";
import { machineFacts } from "./steps/machineFacts.ts";
import { playbookFacts } from "./steps/playbook.ts";

const reason = z.enum(backupReasons).catch("manual");
const ownFacts = z.object({ reason });

/** A copy of the data, kept where backups live, and read back before it is called good. */
export const backup = defineOperation<DumpFacts & { reason: z.infer<typeof reason> }>({
  kind: "backup",
  label: "Back up",
  userMessages: {
    cancelling: "The partial backup is deleted. The intranet and its other backups aren't affected.",
    cancelled: "The partial backup was deleted. The intranet and its other backups weren't affected.",
    failed: "This backup can't be restored. The intranet and its earlier backups weren't affected.",
  },
  facts: z.object({ ...machineFacts, ...playbookFacts, ...dumpFacts, reason }).partial(),
  status: { during: "backing-up", done: "before", cancelled: "before", failed: "before" },
  mutating: true,
  allowed: whileOn,
  changesNothing: true,
  steps: backupSteps(
    { reason: (facts) => ownFacts.parse(facts).reason, stop: false },
    {
      dump: "Dump the data with Ansible",
      store: "Store it where backups live",
      verify: "Verify it",
    },
  ),
  undo: [removeBackup("undo-backup", "Delete the partial backup")],
  ended: endBackup,
});
