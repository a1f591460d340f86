import { z } from "zod";
import { backupReasons } from "#db/schema.ts";
import { whileOn } from "#server/instances/rules.ts";
import { defineOperation, type FactsOf } from "./engine/define.ts";
import { backupSteps, dumpFacts, endBackup, removeBackup } from "./steps/dump.ts";

const reason = z.enum(backupReasons).catch("manual");
const facts = { ...dumpFacts, reason };

/** A copy of the data, kept where backups live, and read back before it is called good. */
export const backup = defineOperation<FactsOf<typeof facts>>({
  kind: "backup",
  label: "Back up",
  userMessages: {
    cancelling: "The partial backup is deleted. The intranet and its other backups aren't affected.",
    cancelled: "The partial backup was deleted. The intranet and its other backups weren't affected.",
    failed: "This backup can't be restored. The intranet and its earlier backups weren't affected.",
  },
  facts: z.object(facts).partial(),
  status: { during: "backing-up", done: "before", cancelled: "before", failed: "before" },
  mutating: true,
  allowed: whileOn,
  changesNothing: true,
  steps: backupSteps(
    { reason: (known) => z.object({ reason }).parse(known).reason, stop: false },
    {
      dump: "Dump the data with Ansible",
      store: "Store it where backups live",
      verify: "Verify it",
    },
  ),
  undo: [removeBackup("undo-backup", "Delete the partial backup")],
  ended: endBackup,
});
