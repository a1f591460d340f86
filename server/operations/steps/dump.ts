import { Readable } from "node:stream";
import { and, eq, inArray, sql } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { type BackupReason, backups } from "#db/schema.ts";
import {
  done,
  type FactsOf,
  type Known,
  later,
  type Outcome,
  type Step,
  type StepContext,
  StepFailure,
  skipped,
  step,
} from "#server/operations/engine/define.ts";
import { nextSequence } from "#server/operations/engine/sequence.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { machineOf } from "./machineFacts.ts";
import { type PlaybookFacts, playbookFacts, playbookStep } from "./playbook.ts";

/** The manifest that the playbook leaves beside its dump, as archive.py writes it. */
const manifest = z.object({
  takenAt: z.number(),
  version: z.string(),
  archive: z.object({ bytes: z.number(), sha256: z.string() }),
  contents: z.object({
    files: z.number(),
    bytes: z.number(),
    tree: z.string(),
    counts: z.record(z.string(), z.number()),
  }),
});

/** A backup's data, as something to put back. */
export const sourceFact = z.object({
  id: z.string(),
  key: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  tree: z.string(),
  version: z.string(),
});
export type Source = z.infer<typeof sourceFact>;

const stored = sourceFact.extend({
  files: z.number(),
  /** When it was stored, by the monotonic clock; what was stored before this was kept is not waited for. */
  at: z.number().optional(),
  /** The round in which it was stored once more, because what could be read back was not what was stored. */
  againIn: z.number().optional(),
});
const wayBack = sourceFact.extend({ round: z.number() });
const tidy = z.object({ kept: z.array(z.string()), archives: z.array(z.string()) });
export type Tidy = z.infer<typeof tidy>;

export const dumpFacts = {
  ...playbookFacts,
  /** What was stored, by the backup's id. */
  stored: z.record(z.string(), stored),
  /** What ways back have dumped and is not good yet: the archive on the droplet may be the only copy. */
  pending: z.array(z.string()),
  /** The backups of this operation that are good. */
  verified: z.array(z.string()),
  /**
   * What to go back to: the first safety backup since the data was last as it was. A retry whose way back got stuck
   * still goes back to the first one's, not to what that left.
   */
  wayBack,
  /** What the dump may remove from the droplet; see archive.py. */
  tidy,
  /** Rounds up to this one share one backup: set by the migration for operations that began before each had its own. */
  sharedUntil: z.number(),
};
export type DumpFacts = FactsOf<typeof dumpFacts>;
type Context = StepContext<DumpFacts>;

/** A transfer may take hours; it is begun anew after a crash. */
export const isTransfer = { timeoutMs: 6 * 3_600_000, slot: "transfers", abortable: true } as const;

export const archiveOnDroplet = (backupId: string) => `backups/${backupId}.tar.gz`;
const manifestOnDroplet = (backupId: string) => `backups/${backupId}.json`;
export const manifestKey = (key: string) => key.replace(/\.tar\.gz$/, ".json");

/** Where the transfer reaches the operation's droplet. */
export function transferHost({ site, ...context }: StepContext<PlaybookFacts>) {
  const { address, hostKey } = machineOf(context);
  if (address === undefined || hostKey === undefined)
    throw new StepFailure("The droplet has no address yet.", "address or host key is not known");
  return { address, port: site.sshPort, user: "root", hostKey, privateKeyFile: site.privateKeyFile };
}

/** Which of a round's backups: the one its plan makes, or the one of what its way back replaces. */
export type Part = "plan" | "rescue" | "undo";

/** The id of a round's backup. Each round makes backups of its own, so that a retry never replaces an earlier one. */
export function backupIdOf(
  { operation, facts }: Context,
  { round = operation.round, part = "plan" }: { round?: number; part?: Part } = {},
): string {
  if (part !== "plan") return `${operation.id}-${round}-${part}`;
  return round <= (facts.sharedUntil ?? -1) ? operation.id : `${operation.id}-${round}`;
}

/** The ids of the planned backups of all rounds before `end`, the newest first. */
export const backupIdsBefore = (context: Context, end: number): string[] => [
  ...new Set(Array.from({ length: end }, (_, index) => backupIdOf(context, { round: end - 1 - index }))),
];

/** Dumped by a way back: until it is verified, its archive on the droplet may be the only copy. */
export const isOfWayBack = (backupId: string) => /-(rescue|undo)$/.test(backupId);
/** The same, as SQL asks it of a row. */
export const isRowOfWayBack = sql`(${backups.id} like '%-rescue' or ${backups.id} like '%-undo')`;

const keyOf = ({ instance, operation }: Context, backupId: string) =>
  `${instance.slug}.${instance.domain}/${new Date(operation.createdAt).toISOString().replaceAll(":", "-")}-${backupId}.tar.gz`;

/** Whether the operation has changed something with this step, and has not gone back since. */
export const changedBy =
  (name: string) =>
  ({ facts }: Pick<Context, "facts">) => {
    const { wayBack: first, runs } = facts;
    return first !== undefined && (runs?.[name]?.round ?? -1) >= first.round;
  };

/** Whether the operation may have stopped the app to dump its data. */
export const stoppedApp = ({ facts }: Context) => facts.runs?.dump !== undefined;

/** Whether it answered before the app was stopped, and so must again. */
export const answeredBefore = (context: Context) =>
  stoppedApp(context) && context.operation.statusBefore === "running";

type Making = {
  /** The step that dumps. */
  dump: string;
  part: Part;
  reason: (facts: Known<DumpFacts>) => BackupReason;
  /** Stops the app before the dump, and leaves it down: for a dump that may be put back. */
  stop: boolean;
  /** The version of the software whose data it is; the instance's by default. */
  version?: (context: Context) => string;
  /** Whether there is anything to dump. */
  when?: (context: Context) => boolean;
};

/** Dumps the data on the droplet. */
const dumpData = (label: string, making: Making): Step<DumpFacts> =>
  playbookStep<DumpFacts>(making.dump, label, {
    playbook: "backup",
    vars: (context) => {
      if (making.when?.(context) === false) return undefined;
      const { operation, site, facts } = context;
      const isPlanned = making.part === "plan";
      const earlier = backupIdsBefore(context, operation.round);
      return {
        runtime: site.runtime,
        backup_id: backupIdOf(context, making),
        version: versionOf(context, making),
        stop: making.stop,
        // A way back begins in any state, also where a swap died half way.
        missing_is_empty: !isPlanned,
        tidy_kept: isPlanned ? (facts.tidy?.kept ?? []) : [],
        tidy_archives: isPlanned ? [...(facts.tidy?.archives ?? []), ...earlier] : [],
      };
    },
    learned: (context) => {
      const id = backupIdOf(context, making);
      const pending = [...(context.facts.pending ?? []).filter((one) => one !== id), id];
      return {
        ...(making.part === "plan" ? {} : { facts: { pending } }),
        rows: (tx) => insertBackup(tx, context, making),
      };
    },
  });

const versionOf = (context: Context, { version }: Making) => version?.(context) ?? context.instance.version;

function insertBackup(tx: Tx, context: Context, making: Making): void {
  const { operation, instance, now } = context;
  const id = backupIdOf(context, making);
  tx.insert(backups)
    .values({
      id,
      sequence: nextSequence(tx, backups),
      instanceId: instance.id,
      operationId: operation.id,
      reason: making.reason(context.facts),
      state: "running",
      key: keyOf(context, id),
      version: versionOf(context, making),
      createdAt: now(),
    })
    .onConflictDoUpdate({ target: backups.id, set: { state: "running" } })
    .run();
}

/**
 * What has been dumped and is not good yet: the plan's own backup, and what ways back have left. A way back does not
 * bother with the plan's, which nobody needs any more.
 */
function unfinished(context: Context, { dump, part }: Making): string[] {
  const { facts } = context;
  const run = part === "plan" ? facts.runs?.[dump] : undefined;
  const planned = run === undefined ? [] : [backupIdOf(context, { round: run.round })];
  return [...planned, ...(facts.pending ?? [])].filter((id) => facts.verified?.includes(id) !== true);
}

/** Stores what was dumped where backups live. */
const storeBackup = (name: string, label: string, making: Making): Step<DumpFacts> =>
  step(
    name,
    label,
    async (context) => {
      const ids = unfinished(context, making).filter((id) => context.facts.stored?.[id] === undefined);
      const [id, ...others] = ids;
      if (id === undefined) return skipped();
      const news = await store(context, id);
      return others.length === 0 ? done(news) : later({ ...news, afterMs: 0 });
    },
    isTransfer,
  );

/** Streams the dump from the droplet to where backups live, and its manifest after it. */
async function store(context: Context, id: string, againIn?: number) {
  const { providers, signal, monotonic } = context;
  const host = transferHost(context);
  const found = manifest.parse(
    JSON.parse(await providers.transfer.readTextFile(host, manifestOnDroplet(id), signal)),
  );
  const key = keyOf(context, id);
  const sent = await providers.transfer.fetchFile(host, archiveOnDroplet(id), providers.backups, key, {
    signal,
  });
  const { bytes, sha256 } = found.archive;
  if (sent.bytes !== bytes || sent.sha256 !== sha256)
    throw new StepFailure(
      "The data was damaged on its way from the droplet. Try again.",
      `${sent.bytes} bytes, ${sent.sha256}; expected ${bytes} bytes, ${sha256}`,
    );
  await providers.backups.put(manifestKey(key), Readable.from(JSON.stringify(found, undefined, 1)), signal);
  const { contents, takenAt, version } = found;
  const { files, tree } = contents;
  const known = { id, key, bytes, sha256, files, tree, version, at: monotonic(), againIn };
  return {
    facts: { stored: { ...context.facts.stored, [id]: known } },
    rows: (tx: Tx) => {
      const news = { key, bytes, sha256, contents, takenAt, version };
      tx.update(backups).set(news).where(eq(backups.id, id)).run();
    },
  };
}

/** How long a store may take to show what it has taken: not every one is consistent at once. */
const shownWithinMs = 60_000;

/**
 * Reads the backup back from where it is stored. What is not shown yet is waited for; what is damaged or lost there is
 * stored once more before that is a failure, and again by each Retry.
 */
const verifyBackup = (name: string, label: string, making: Making): Step<DumpFacts> =>
  step(
    name,
    label,
    async (context) => {
      const [id, ...others] = unfinished(context, making);
      if (id === undefined) return skipped();
      const outcome = await verify(context, id, making);
      return outcome.done && others.length > 0 ? later({ ...outcome, afterMs: 0 }) : outcome;
    },
    isTransfer,
  );

async function verify(context: Context, id: string, { stop }: Making): Promise<Outcome<DumpFacts>> {
  const { operation, providers, signal, now, facts } = context;
  const backup = facts.stored?.[id];
  if (backup === undefined) throw new StepFailure("There's no backup to verify.", `${id} was not stored`);
  const result = await readBack(context, backup);
  if (result === "late")
    return later({ afterMs: 2000, progress: { label: "Waiting for the backup store to list it" } });
  if (!result.ok) {
    if (backup.againIn === operation.round)
      throw new StepFailure(`${result.userMessage} Check the backup store, then try again.`, result.detail);
    return later({ ...(await store(context, id, operation.round)), afterMs: 0 });
  }
  if (result.files !== backup.files)
    throw new StepFailure(
      "The backup has a different number of files than the dump.",
      `${result.files} instead of ${backup.files}`,
    );
  await providers.transfer.removeFiles(transferHost(context), filesOnDroplet(id), signal);
  const verifiedAt = now();
  const { bytes, sha256, files } = backup;
  const goBackTo = facts.wayBack ?? { ...backup, round: operation.round };
  return done({
    facts: {
      verified: [...(facts.verified ?? []), id],
      pending: facts.pending?.filter((one) => one !== id),
      ...(stop && !isOfWayBack(id) ? { wayBack: goBackTo } : {}),
    },
    rows: (tx: Tx) => tx.update(backups).set({ state: "good", verifiedAt }).where(eq(backups.id, id)).run(),
    log: [
      {
        at: verifiedAt,
        text: `${files === 1 ? "1 file" : `${files} files`}, ${bytes} bytes, SHA-256 ${sha256}`,
      },
    ],
  });
}

async function readBack({ providers, signal, monotonic }: Context, backup: z.infer<typeof stored>) {
  try {
    return await providers.verifyArchive(providers.backups, backup.key, backup, signal);
  } catch (error) {
    if (!(error instanceof ProviderError) || error.code !== "not-found") throw error;
    if (backup.at !== undefined && monotonic() - backup.at < shownWithinMs) return "late";
    const userMessage = "The backup was stored, but is missing now.";
    return { ok: false as const, userMessage, detail: error.detail };
  }
}

const filesOnDroplet = (backupId: string) => [archiveOnDroplet(backupId), manifestOnDroplet(backupId)];

/** Dump, store, verify: a backup is good only after the last of them. */
export function backupSteps(
  making: Omit<Making, "dump" | "part">,
  labels: { dump: string; store: string; verify: string },
): Step<DumpFacts>[] {
  const planned: Making = { ...making, dump: "dump", part: "plan" };
  return [
    dumpData(labels.dump, planned),
    storeBackup("store", labels.store, planned),
    verifyBackup("verify", labels.verify, planned),
  ];
}

/** What a way back replaces, for people to find what was written meanwhile. Stored once the intranet is up again. */
export function replacedData(
  part: "rescue" | "undo",
  how: Pick<Making, "when" | "version">,
): { dump: Step<DumpFacts>; store: Step<DumpFacts>[] } {
  const making: Making = {
    ...how,
    dump: `${part}-dump`,
    part,
    reason: () => "before-restore",
    stop: true,
  };
  return {
    dump: dumpData("Back up the newer data", making),
    store: [
      storeBackup(`${part}-store`, "Store the newer data", making),
      verifyBackup(`${part}-verify`, "Verify the newer data", making),
    ],
  };
}

/**
 * Of planned backups that were cancelled before they were verified nothing is left, neither on the droplet nor where
 * backups live.
 */
export const removeBackup = (name: string, label: string): Step<DumpFacts> =>
  step<DumpFacts>(name, label, async (context) => {
    const { providers, signal, facts } = context;
    const last = facts.runs?.dump;
    if (last === undefined) return skipped();
    const ids = backupIdsBefore(context, last.round + 1).filter(
      (id) => facts.verified?.includes(id) !== true,
    );
    if (ids.length === 0) return skipped();
    for (const id of ids) {
      await providers.backups.remove(keyOf(context, id));
      await providers.backups.remove(manifestKey(keyOf(context, id)));
    }
    await providers.transfer.removeFiles(transferHost(context), ids.flatMap(filesOnDroplet), signal);
    return done();
  });

/** A backup whose operation ended before it was verified is no backup. */
export function endBackup(tx: Tx, operation: { id: string }, state: string, now: number): void {
  const unverified = tx
    .select()
    .from(backups)
    .where(and(eq(backups.operationId, operation.id), inArray(backups.state, ["running", "failed"])))
    .all();
  for (const { id } of unverified) {
    const isRemoved = state === "cancelled" && !isOfWayBack(id);
    const over = isRemoved ? { state: "removed" as const, removedAt: now } : { state: "failed" as const };
    tx.update(backups).set(over).where(eq(backups.id, id)).run();
  }
}
