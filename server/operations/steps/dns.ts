import { eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { dnsRecords } from "#db/schema.ts";
import {
  done,
  later,
  type Outcome,
  type Step,
  type StepContext,
  StepFailure,
  skipped,
  step,
} from "#server/operations/engine/define.ts";
import type { FoundRecord } from "#server/providers/digitalocean/dns.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { endOfOvertaken } from "./droplet.ts";
import { sameAccount, visibilityWindowMs } from "./dropletPresence.ts";
import { type MachineFacts, machineOf, type OwnRecord } from "./machineFacts.ts";

type Context = StepContext<MachineFacts>;
type Place = { slug: string; domain: string };

/** What people read of a name that somebody else uses. */
export const foreignRecord = ({ slug, domain }: Place): string =>
  `${slug}.${domain} has a DNS record at DigitalOcean that the Spawner didn't make. Remove the record there, or choose another address.`;

/**
 * Whether a record is ours: because we know its id; or because it leads from a name of the instance to its droplet, or to
 * where one was asked for whose answer was lost. The latter also takes in what was made before ids were kept.
 */
function isOurs(context: Context, { slug, domain }: Place, record: FoundRecord): boolean {
  const { records = [], recordsAsked = [] } = context.facts;
  if (records.some(({ id }) => id === record.id)) return true;
  if (record.type !== "A") return false;
  return (
    record.data === machineOf(context).address ||
    recordsAsked.some(
      (asked) => asked.domain === domain && asked.name === slug && asked.address === record.data,
    )
  );
}

/**
 * Leads a name to the operation's droplet: by the one record of ours, which is made or corrected. Fails when there is
 * one that is not ours. The result is what the record's row is to say.
 */
export async function ensureRecord(context: Context, place: Place): Promise<OwnRecord> {
  const { facts, monotonic } = context;
  const { digitalocean } = context.providers;
  const { address } = machineOf(context);
  if (address === undefined) throw new StepFailure("The droplet has no address yet.", "address is not known");
  const { slug: name, domain } = place;
  const found = await digitalocean.findRecords(domain, name);
  const foreign = found.find((record) => !isOurs(context, place, record));
  if (foreign !== undefined)
    throw new StepFailure(foreignRecord(place), `record ${foreign.id}: ${foreign.type} ${foreign.data}`);
  const [first, ...doubles] = found.sort(
    (a, b) => Number(b.data === address) - Number(a.data === address) || a.id - b.id,
  );
  for (const double of doubles) await digitalocean.removeRecord(domain, double.id);
  if (first !== undefined) {
    if (first.data !== address) await digitalocean.changeARecord(domain, first.id, name, address);
    return { id: first.id, domain, name, address };
  }
  await sameAccount(context);
  const others = facts.recordsAsked ?? [];
  await digitalocean.ensureDomain(domain);
  context.remember({ recordsAsked: [...others, { domain, name, address, at: monotonic() }] });
  try {
    const { id } = await digitalocean.createARecord(domain, name, address);
    const made = { id, domain, name, address };
    context.remember({ recordsAsked: others, records: [...(facts.records ?? []), made] });
    return made;
  } catch (error) {
    // Of an unclear one it is not forgotten that it may have been made.
    if (error instanceof ProviderError && !error.unclear) context.remember({ recordsAsked: others });
    throw error;
  }
}

/** Writes down that these are ours; for an outcome's rows. */
export function keepRecords(
  tx: Tx,
  { instance, now }: Pick<Context, "instance" | "now">,
  records: readonly OwnRecord[],
): void {
  for (const record of records)
    tx.insert(dnsRecords)
      .values({ ...record, instanceId: instance.id, createdAt: now() })
      .onConflictDoUpdate({ target: dnsRecords.id, set: { ...record, instanceId: instance.id } })
      .run();
}

/**
 * Removes the records of a name that are ours, and no other. `isSettled` is false while one that was asked for without a
 * clear answer may still come.
 */
export async function removeOwnRecords(
  context: Context,
  place: Place,
): Promise<{ removed: number[]; isSettled: boolean }> {
  const { monotonic, providers } = context;
  const endsBy = endOfOvertaken(context);
  const { records = [], recordsAsked: asked = [] } = context.facts;
  const recordsAsked = asked.map((one) => ({ ...one, endsBy: one.endsBy ?? endsBy }));
  if (asked.some((one) => one.endsBy === undefined)) context.remember({ recordsAsked });
  const { slug, domain } = place;
  const lookedAt = monotonic();
  const isOfThis = (one: { domain: string; name: string }) => one.domain === domain && one.name === slug;
  const found = await providers.digitalocean.findRecords(domain, slug);
  // That there is none means something only in the team where they were made.
  if (found.length === 0) await sameAccount(context);
  const ours = found.filter((one) => isOurs(context, place, one));
  for (const { id } of ours) await providers.digitalocean.removeRecord(domain, id);
  return {
    removed: [...ours, ...records.filter(isOfThis)].map(({ id }) => id),
    isSettled: recordsAsked.filter(isOfThis).every((one) => lookedAt >= one.endsBy + visibilityWindowMs),
  };
}

export const recordMayCome = {
  afterMs: 3000,
  progress: { label: "Checking that no DNS record was created" },
};

/** Writes down that these are gone; for an outcome's rows. */
export function forgetRecords(tx: Tx, ids: readonly number[]): void {
  for (const id of ids) tx.delete(dnsRecords).where(eq(dnsRecords.id, id)).run();
}

/** Points the instance's name, and whatever else leads to it, at its droplet. */
export const createDns = (name: string, label: string): Step<MachineFacts> =>
  step(name, label, async (context): Promise<Outcome<MachineFacts>> => {
    if (machineOf(context).address === undefined) return later({ afterMs: 1000 });
    const records: OwnRecord[] = [];
    for (const place of [context.instance, ...context.aliases])
      records.push(await ensureRecord(context, place));
    return done({ rows: (tx) => keepRecords(tx, context, records) });
  });

/**
 * Removes the records of the instance: of its own name, of others that lead to it, and of any that an earlier operation
 * has left. They go before the droplet goes.
 */
export const removeDns = (name: string, label: string): Step<MachineFacts> =>
  step(name, label, async (context): Promise<Outcome<MachineFacts>> => {
    const { facts, instance } = context;
    const { records = [], recordsAsked = [] } = facts;
    if (machineOf(context).address === undefined && records.length + recordsAsked.length === 0)
      return skipped();
    const left = [...records, ...recordsAsked].map((one) => ({ slug: one.name, domain: one.domain }));
    const places = new Map(
      [instance, ...context.aliases, ...left].map((place) => [`${place.slug}.${place.domain}`, place]),
    );
    const all = { removed: new Set<number>(), areSettled: true };
    for (const place of places.values()) {
      const { removed, isSettled } = await removeOwnRecords(context, place);
      for (const id of removed) all.removed.add(id);
      all.areSettled &&= isSettled;
    }
    if (!all.areSettled) return later(recordMayCome);
    return done({
      facts: { records: [], recordsAsked: [] },
      rows: (tx) => forgetRecords(tx, [...all.removed]),
    });
  });
