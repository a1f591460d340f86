import { Readable } from "node:stream";
import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "../../db/client.ts";
import { type BackupReason, backups, type JsonObject } from "../../db/schema.ts";
import { done, type Step, type StepContext, StepFailure, skipped, step } from "./definition.ts";
import { machineOf } from "./machine.ts";
import { type PlaybookFacts, playbookStep } from "./playbook.ts";
import { nextSequence } from "./sequence.ts";

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

const dumpFact = z.object({
  key: z.string(),
  bytes: z.number(),
  sha256: z.string(),
  files: z.number(),
  tree: z.string(),
});
export const dumpFacts = { dump: dumpFact, isVerified: z.boolean() };
export type DumpFacts = PlaybookFacts & { dump: z.infer<typeof dumpFact>; isVerified: boolean };
type Context = StepContext<DumpFacts>;

/** A transfer may take hours; it is begun anew after a crash. */
const transferMs = 6 * 3_600_000;

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

/** An operation makes one backup at most: it bears the operation's id. */
const keyOf = ({ instance, operation }: Context) =>
  `${instance.slug}.${instance.domain}/${new Date(operation.createdAt).toISOString().replaceAll(":", "-")}-${operation.id}.tar.gz`;

/** Dump, store, verify: a backup is good only after the last of them. */
export function backupSteps(
  reason: (facts: JsonObject) => BackupReason,
  labels: { dump: string; store: string; verify: string },
): Step<DumpFacts>[] {
  return [
    playbookStep<DumpFacts>("dump", labels.dump, {
      playbook: "backup",
      vars: ({ operation, instance, site }) => ({
        runtime: site.runtime,
        backup_id: operation.id,
        version: instance.version,
      }),
      learned: (context) => ({
        rows: (tx) => insertBackup(tx, context, reason(context.facts)),
      }),
    }),
    step("store", labels.store, async (context) => done(await store(context)), { timeoutMs: transferMs }),
    step("verify", labels.verify, verify, { timeoutMs: transferMs }),
  ];
}

function insertBackup(tx: Tx, context: Context, reason: BackupReason): void {
  const { operation, instance, now } = context;
  tx.insert(backups)
    .values({
      id: operation.id,
      sequence: nextSequence(tx, backups),
      instanceId: instance.id,
      operationId: operation.id,
      reason,
      state: "running",
      key: keyOf(context),
      version: instance.version,
      createdAt: now(),
    })
    .onConflictDoUpdate({ target: backups.id, set: { state: "running" } })
    .run();
}

/** Streams the dump from the droplet to where backups live, and its manifest after it. */
async function store(context: Context) {
  const { operation, providers, signal } = context;
  const host = transferHost(context);
  const found = manifest.parse(
    JSON.parse(await providers.transfer.readTextFile(host, manifestOnDroplet(operation.id), signal)),
  );
  const key = keyOf(context);
  const from = archiveOnDroplet(operation.id);
  const sent = await providers.transfer.fetchFile(host, from, providers.backups, key, { signal });
  const { bytes, sha256 } = found.archive;
  if (sent.bytes !== bytes || sent.sha256 !== sha256)
    throw new StepFailure(
      "What arrived is not what the droplet dumped. Try again.",
      `${sent.bytes} bytes, ${sent.sha256}; expected ${bytes} bytes, ${sha256}`,
    );
  await providers.backups.put(manifestKey(key), Readable.from(JSON.stringify(found, undefined, 1)), signal);
  const { contents, takenAt, version } = found;
  return {
    facts: { dump: { key, bytes, sha256, files: contents.files, tree: contents.tree } },
    rows: (tx: Tx) => {
      const news = { key, bytes, sha256, contents, takenAt, version };
      tx.update(backups).set(news).where(eq(backups.id, operation.id)).run();
    },
  };
}

/** Reads the backup back from where it is stored; what is damaged there is stored once more before that is a failure. */
async function verify(context: Context) {
  const { operation, providers, signal, now } = context;
  let { dump } = context.facts;
  if (dump === undefined) throw new StepFailure("There is no backup to verify.", "the dump is not known");
  let result = await providers.verifyArchive(providers.backups, dump.key, dump, signal);
  if (!result.ok) {
    dump = (await store(context)).facts.dump;
    result = await providers.verifyArchive(providers.backups, dump.key, dump, signal);
  }
  if (!result.ok) throw new StepFailure(result.sentence, result.detail);
  if (result.entries.length !== dump.files)
    throw new StepFailure(
      "The backup holds another number of files than were dumped.",
      `${result.entries.length} instead of ${dump.files}`,
    );
  const files = [archiveOnDroplet(operation.id), manifestOnDroplet(operation.id)];
  await providers.transfer.removeFiles(transferHost(context), files, signal);
  const verifiedAt = now();
  return done<DumpFacts>({
    facts: { dump, isVerified: true },
    rows: (tx) =>
      tx.update(backups).set({ state: "good", verifiedAt }).where(eq(backups.id, operation.id)).run(),
    log: [{ at: verifiedAt, text: `${dump.files} files, ${dump.bytes} bytes, SHA-256 ${dump.sha256}` }],
  });
}

/** Of a backup that was cancelled before it was verified nothing is left, neither on the droplet nor where backups live. */
export const removeBackup = (name: string, label: string): Step<DumpFacts> =>
  step(name, label, async (context) => {
    const { operation, providers, signal, facts } = context;
    if (facts.runs?.dump === undefined || facts.isVerified === true) return skipped();
    const key = keyOf(context);
    await providers.backups.remove(key);
    await providers.backups.remove(manifestKey(key));
    const files = [archiveOnDroplet(operation.id), manifestOnDroplet(operation.id)];
    await providers.transfer.removeFiles(transferHost(context), files, signal);
    return done();
  });

/** A backup whose operation ended before it was verified is no backup. */
export function endBackup(tx: Tx, operation: { id: string }, state: string, now: number): void {
  const row = tx.select().from(backups).where(eq(backups.id, operation.id)).get();
  if (row === undefined || row.state !== "running") return;
  const over =
    state === "cancelled" ? { state: "removed" as const, removedAt: now } : { state: "failed" as const };
  tx.update(backups).set(over).where(eq(backups.id, operation.id)).run();
}
