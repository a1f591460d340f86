import { z } from "zod";
import type { JsonValue } from "../providers/playbooks/playbooks.ts";
import { archiveOnDroplet, isTransfer, transferHost } from "./backupSteps.ts";
import { done, type Step, type StepContext, StepFailure, skipped, step } from "./definition.ts";
import { type PlaybookFacts, playbookStep } from "./playbook.ts";

/** The backup whose data is put back. */
export const sourceFact = z.object({
  id: z.string(),
  key: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  tree: z.string(),
  version: z.string(),
});
export const sourceFacts = { source: sourceFact };
export type SourceFacts = PlaybookFacts & { source: z.infer<typeof sourceFact> };
export type Source = z.infer<typeof sourceFact>;

const known = <Value>(value: Value | undefined): Value => {
  if (value === undefined) throw new StepFailure("It is not known which backup to restore.", "no source");
  return value;
};

/** Streams the backup from where it lives to the droplet; what arrives must be what was backed up. */
export const sendBackup = <Facts extends SourceFacts>(
  name: string,
  { source = ({ facts }) => facts.source, when }: Pick<Where<Facts>, "source" | "when"> = {},
): Step<Facts> =>
  step(
    name,
    "Bring the backup to the droplet",
    async (context) => {
      if (when?.(context) === false) return skipped();
      const { id, key, bytes, sha256 } = known(source(context));
      const { providers, signal } = context;
      const host = transferHost(context);
      const sent = await providers.transfer.sendFile(providers.backups, key, host, archiveOnDroplet(id), {
        signal,
      });
      if (sent.bytes !== bytes || sent.sha256 !== sha256)
        throw new StepFailure(
          "The backup is not what it was when it was verified. Choose another one.",
          `${key}: ${sent.bytes} bytes, ${sent.sha256}; expected ${bytes} bytes, ${sha256}`,
        );
      return done();
    },
    isTransfer,
  );

type Where<Facts extends SourceFacts> = {
  label?: string;
  source?: (context: StepContext<Facts>) => Source | undefined;
  version?: (context: StepContext<Facts>) => string;
  url?: (context: StepContext<Facts>) => string;
  /** Whether there is anything to do. */
  when?: (context: StepContext<Facts>) => boolean;
};

/** Stops the app, replaces the data, starts it. The playbook puts the data from before back when that fails. */
export const putBack = <Facts extends SourceFacts>(name: string, where: Where<Facts> = {}): Step<Facts> =>
  playbookStep<Facts>(name, where.label ?? "Put the backup's data back", {
    playbook: "restore",
    vars: (context) => {
      if (where.when?.(context) === false) return undefined;
      const { id, tree } = known(where.source === undefined ? context.facts.source : where.source(context));
      return { ...restoreVars(context, where), backup_id: id, expected_tree: tree };
    },
  });

/** The undo of {@link putBack}; nothing to do when that never began. */
export const takeBack = <Facts extends SourceFacts>(name: string, of: string): Step<Facts> =>
  playbookStep<Facts>(name, "Put the data from before back", {
    playbook: "unrestore",
    vars: (context) => (context.facts.runs?.[of] === undefined ? undefined : restoreVars(context, {})),
  });

function restoreVars<Facts extends SourceFacts>(
  context: StepContext<Facts>,
  where: Where<Facts>,
): Record<string, JsonValue> {
  const { operation, instance, site } = context;
  return {
    runtime: site.runtime,
    restore_id: operation.id,
    web_port: site.webPort,
    version: where.version?.(context) ?? instance.version,
    url: where.url?.(context) ?? context.url,
  };
}
