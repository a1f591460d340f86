import {
  done,
  type FactsOf,
  type Step,
  type StepContext,
  StepFailure,
  skipped,
  step,
} from "#server/operations/engine/define.ts";
import type { JsonValue } from "#server/providers/playbooks/playbooks.ts";
import {
  archiveOnDroplet,
  backupIdOf,
  backupIdsBefore,
  type DumpFacts,
  isTransfer,
  type Source,
  sourceFact,
  transferHost,
} from "./dump.ts";
import { playbookFacts, playbookStep } from "./playbook.ts";

/** The backup whose data is put back. */
export const sourceFacts = { ...playbookFacts, source: sourceFact };
export type SourceFacts = FactsOf<typeof sourceFacts>;

const known = <Value>(value: Value | undefined): Value => {
  if (value === undefined) throw new StepFailure("The backup to restore is missing.", "no source");
  return value;
};

type Where<Facts extends SourceFacts> = {
  label?: string;
  source?: (context: StepContext<Facts>) => Source | undefined;
  version?: (context: StepContext<Facts>) => string;
  url?: (context: StepContext<Facts>) => string;
  /** Whether there is anything to do. */
  when?: (context: StepContext<Facts>) => boolean;
  /**
   * Under which name the data from before is kept: the id of the backup of exactly this data. The operation's own id
   * when there is no such backup, because nobody has used the droplet yet.
   */
  keptAs?: (context: StepContext<Facts>) => string;
  /** The app stays down: what starts it comes later. */
  leaveStopped?: boolean;
};

/** Streams the backup from where it lives to the droplet; what arrives must be what was backed up. */
export const sendBackup = <Facts extends SourceFacts>(
  name: string,
  { source = ({ facts }) => facts.source, when }: Pick<Where<Facts>, "source" | "when"> = {},
): Step<Facts> =>
  step(
    name,
    "Copy the backup to the droplet",
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
          "The backup has changed since it was verified. Choose another one.",
          `${key}: ${sent.bytes} bytes, ${sent.sha256}; expected ${bytes} bytes, ${sha256}`,
        );
      return done();
    },
    isTransfer,
  );

/** Stops the app, replaces the data, starts it. {@link putDataBack} is the way back, also when it failed half way. */
export const putBack = <Facts extends SourceFacts>(name: string, where: Where<Facts> = {}): Step<Facts> => ({
  ...playbookStep<Facts>(name, where.label ?? "Put the backup's data back", {
    playbook: "restore",
    vars: (context): Record<string, JsonValue> | undefined => {
      if (where.when?.(context) === false) return undefined;
      const { operation, instance, site } = context;
      const { id, tree } = known(where.source === undefined ? context.facts.source : where.source(context));
      return {
        runtime: site.runtime,
        backup_id: id,
        expected_tree: tree,
        restore_id: where.keptAs?.(context) ?? operation.id,
        leave_stopped: where.leaveStopped ?? false,
        web_port: site.webPort,
        version: where.version?.(context) ?? instance.version,
        url: where.url?.(context) ?? context.url,
      };
    },
  }),
  replacesData: true,
});

/** The name under which a round keeps the data from before: its safety backup's. */
export const keptByRound = (context: StepContext<DumpFacts>) => backupIdOf(context);

/**
 * Puts back what the operation's rounds kept, the oldest last, and starts the app. Without anything kept it only
 * starts the app.
 */
export const putDataBack = (
  name: string,
  label: string,
  options: { when: (context: StepContext<DumpFacts>) => boolean; putsBack: boolean },
): Step<DumpFacts> => ({
  ...playbookStep<DumpFacts>(name, label, {
    playbook: "unrestore",
    vars: (context) => {
      if (!options.when(context)) return undefined;
      const { round } = context.operation;
      return {
        runtime: context.site.runtime,
        restore_ids: options.putsBack ? backupIdsBefore(context, round + 1) : [],
      };
    },
    learned: () => (options.putsBack ? { facts: noWayBack } : {}),
  }),
  ...(options.putsBack ? { replacesData: true } : {}),
});

/** Everything is as it was before: the next round has a way back of its own. */
export const noWayBack = { wayBack: undefined };

/** Why Retry is refused after a rollback that got stuck: its first step would back up what may be half of the data. */
export const unlessDataMayBeHalf = ({ isStuckReplacingData }: { isStuckReplacingData: boolean }) =>
  isStuckReplacingData
    ? "The previous data may be only partly back. Cancel this operation to finish putting it back."
    : undefined;
