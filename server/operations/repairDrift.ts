import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { snapshots } from "#db/schema.ts";
import type { Finding, FindingOf } from "#server/drift/findings.ts";
import { pointAtBest } from "./backupUses.ts";
import {
  defineOperation,
  done,
  type FactsOf,
  type Outcome,
  type StepContext,
  StepFailure,
  step,
} from "./engine/define.ts";
import { ensureRecord, keepRecords } from "./steps/dns.ts";
import { driftFacts, findingOf, forget } from "./steps/driftFinding.ts";
import { machineFacts, type OwnRecord } from "./steps/machineFacts.ts";

const facts = { ...driftFacts, ...machineFacts };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;
type Done = Outcome<Facts>;

const repairable = [
  "changed-address",
  "changed-size",
  "changed-tags",
  "changed-record",
  "missing-record",
  "missing-domain",
  "missing-snapshot",
  "missing-ssh-key",
] as const;

/** Looks once more before it changes anything: what has been put right meanwhile is only taken off the page. */
async function repair(context: Context): Promise<Done> {
  const one = await findingOf(context, repairable);
  switch (one.type) {
    case "changed-address":
      return takeAddress(context, one);
    case "changed-size":
      return takeSize(context, one);
    case "changed-tags":
      return tagAgain(context, one);
    case "changed-record":
    case "missing-record":
      return repairRecord(context, one);
    case "missing-domain":
      return repairDomain(context, one);
    case "missing-snapshot":
      return forgetSnapshot(context, one);
    case "missing-ssh-key":
      return registerKey(context, one);
  }
}

/** The instance's droplet, as long as it is the one that the finding is about. */
async function ownDroplet({ instance, providers }: Context, one: Finding & { dropletId: number }) {
  const droplet =
    instance.dropletId === one.dropletId ? await providers.digitalocean.getDroplet(one.dropletId) : undefined;
  if (droplet === undefined)
    throw new StepFailure(
      `${instance.company} doesn't have this droplet any more. Nothing was changed.`,
      `droplet ${one.dropletId}`,
    );
  return droplet;
}

/** The row takes the droplet's address, once the server there has shown the host key that we know. */
async function takeAddress(context: Context, one: FindingOf<"changed-address">): Promise<Done> {
  const { instance, aliases, providers, site } = context;
  const { address } = await ownDroplet(context, one);
  if (address === undefined || address === instance.ipAddress) return done({ rows: forget(one) });
  const hostKey = await providers.scanHostKey({ address, port: site.sshPort });
  if (hostKey === undefined || hostKey !== instance.hostKey)
    throw new StepFailure(
      `${address} doesn't answer with the SSH host key of this droplet. Nothing was changed.`,
      `host key ${hostKey ?? "none"} instead of ${instance.hostKey ?? "none"}`,
    );
  const there = { ...context, instance: { ...instance, ipAddress: address } };
  const records: OwnRecord[] = [];
  for (const place of [instance, ...aliases]) records.push(await ensureRecord(there, place));
  return done({ instance: { ipAddress: address }, rows: keeping(context, records, one) });
}

async function takeSize(context: Context, one: FindingOf<"changed-size">): Promise<Done> {
  const { sizeSlug, priceMonthlyCents } = await ownDroplet(context, one);
  return done({
    instance: { size: sizeSlug, priceMonthlyCents },
    rows: forget(one),
  });
}

async function tagAgain(context: Context, one: FindingOf<"changed-tags">): Promise<Done> {
  const { id } = await ownDroplet(context, one);
  for (const tag of one.missing) await context.providers.digitalocean.tagDroplet(id, tag);
  return done({ rows: forget(one) });
}

/** Writes down the records that are right now, and takes the finding off the page. */
const keeping = (context: Context, records: readonly OwnRecord[], one: Finding) => (tx: Tx) => {
  keepRecords(tx, context, records);
  forget(one)(tx);
};

/** Leads the name to where the instance is now: a failure when it has moved, or has no droplet any more. */
async function repairRecord(
  context: Context,
  one: FindingOf<"changed-record" | "missing-record">,
): Promise<Done> {
  const { instance, aliases } = context;
  const place = { slug: one.name, domain: one.domain };
  const isOwn = [instance, ...aliases].some(
    ({ slug, domain }) => slug === place.slug && domain === place.domain,
  );
  if (!isOwn || instance.destroyedAt !== null || instance.ipAddress === null)
    throw new StepFailure(
      `${one.name}.${one.domain} doesn't belong to ${instance.company} any more. Nothing was changed.`,
      `${instance.slug}.${instance.domain} at ${instance.ipAddress ?? "no address"}`,
    );
  return done({ rows: keeping(context, [await ensureRecord(context, place)], one) });
}

/** The domain is there again: this instance's names lead to it at once, the next round finds those of the others. */
async function repairDomain(context: Context, one: FindingOf<"missing-domain">): Promise<Done> {
  const { instance, aliases, providers } = context;
  await providers.digitalocean.ensureDomain(one.domain);
  const records: OwnRecord[] = [];
  if (instance.ipAddress !== null && instance.destroyedAt === null)
    for (const place of [instance, ...aliases])
      if (place.domain === one.domain) records.push(await ensureRecord(context, place));
  return done({ rows: keeping(context, records, one) });
}

/** The row of a snapshot that is gone: Bring back starts from the best that is left. */
async function forgetSnapshot(context: Context, one: FindingOf<"missing-snapshot">): Promise<Done> {
  const { instance, providers, now } = context;
  if ((await providers.digitalocean.findSnapshot(one.snapshotId)) !== undefined)
    return done({ rows: forget(one) });
  return done({
    rows: (tx) => {
      tx.update(snapshots).set({ removedAt: now() }).where(eq(snapshots.id, one.snapshotId)).run();
      if (instance.snapshotId === one.snapshotId) pointAtBest(tx, instance.id);
      forget(one)(tx);
    },
  });
}

async function registerKey({ providers, site }: Context, one: FindingOf<"missing-ssh-key">): Promise<Done> {
  providers.digitalocean.forgetSshKeys();
  await providers.digitalocean.ensureSshKey(site.keyName, site.publicKey);
  return done({ rows: forget(one) });
}

/** Makes DigitalOcean and the rows say the same again, without touching what runs on the droplet. */
export const repairDrift = defineOperation<Facts>({
  kind: "repair-drift",
  label: "Repair drift",
  userMessages: {
    cancelling: "If the repair hasn't begun, nothing changes.",
    cancelled: "The repair was stopped. The Drift page shows what still differs.",
    failed: "The repair didn't finish. The Drift page shows what still differs.",
  },
  facts: z.object(facts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: true,
  driftAction: "repair",
  repairsDrift: true,
  steps: [step("repair", "Repair", repair)],
});
