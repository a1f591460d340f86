import { eq } from "drizzle-orm";
import { z } from "zod";
import { backups } from "#db/schema.ts";
import { unlessHalfBuilt } from "#server/instances/rules.ts";
import { defineOperation, type StepContext, undoneBy } from "./engine/define.ts";
import { tookMs } from "./engine/durations.ts";
import { appReady } from "./steps/answer.ts";
import { destroyDroplet, dropletReady, requestDroplet } from "./steps/droplet.ts";
import { intranetVars } from "./steps/intranetVars.ts";
import { machineOf } from "./steps/machineFacts.ts";
import { playbookStep } from "./steps/playbook.ts";
import { putBack, type SourceFacts, sendBackup, sourceFacts } from "./steps/restoreData.ts";

type Context = StepContext<SourceFacts>;

/** Where the throwaway answers: at its own address, because no name leads to it. */
const url = (context: Context) => `http://${machineOf(context).address}:${context.site.webPort}`;
const version = ({ facts, instance }: Context) => facts.source?.version ?? instance.version;

/**
 * Restores a backup to a droplet that nobody uses, looks whether it is what it should be, and throws the droplet
 * away. It has none of the customer's variables, so that it cannot write to anybody.
 */
export const testRestore = defineOperation<SourceFacts>({
  kind: "test-restore",
  label: "Test restore",
  userMessages: {
    cancelling: "The temporary droplet is destroyed. The intranet and its backups aren't affected.",
    cancelled: "The temporary droplet was destroyed. The intranet and its backups weren't affected.",
    failed: ({ facts }) =>
      facts.dropletId !== undefined || facts.createAskedAt !== undefined
        ? "The intranet wasn't changed. The temporary droplet may still exist and cost money. Retry and Cancel both look for it."
        : "The intranet wasn't changed, and the temporary droplet is gone.",
  },
  facts: z.object(sourceFacts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: false,
  allowed: (instance) => (instance.status === "destroyed" ? "It's destroyed." : unlessHalfBuilt(instance)),
  // The backup may be removed for good at any time.
  noRetry: ({ status }) => (status === "destroyed" ? "It's destroyed." : undefined),
  leavesAtDigitalOcean: "throwaway-droplet",
  steps: [
    undoneBy(
      requestDroplet("create-droplet", "Request a temporary droplet"),
      destroyDroplet("undo-droplet", "Destroy the temporary droplet"),
    ),
    dropletReady("droplet-ready"),
    playbookStep("provision", "Provision it with Ansible", {
      playbook: "provision",
      vars: (context) =>
        intranetVars(context, {
          url: url(context),
          version: version(context),
          variables: [],
          redirectFrom: [],
        }),
    }),
    sendBackup("send"),
    putBack("put-back", { version, url }),
    appReady("check", {
      label: "Check that it answers with the backup's data",
      url,
      version,
      learned: ({ facts, now, monotonic, operation }) => ({
        rows: (tx) => {
          const restoreTestedInMs = tookMs(tx, operation.id, monotonic());
          tx.update(backups)
            .set({ restoreTestedAt: now(), restoreTestedInMs, restoreTestFailure: null })
            .where(eq(backups.id, facts.source?.id ?? ""))
            .run();
        },
      }),
      leavesInstance: true,
    }),
    destroyDroplet("throw-away", "Destroy the temporary droplet"),
  ],
  rescue: {
    redoFrom: "create-droplet",
    steps: [destroyDroplet("rescue-droplet", "Destroy the temporary droplet")],
  },
  ended: (tx, { facts }, state) => {
    const { source } = z.object({ source: sourceFacts.source }).partial().parse(facts);
    if (state === "failed" && source !== undefined)
      tx.update(backups)
        .set({ restoreTestFailure: "The last test restore failed." })
        .where(eq(backups.id, source.id))
        .run();
  },
});
