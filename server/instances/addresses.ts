import { and, desc, eq, isNotNull, isNull, ne } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { aliases, dnsRecords, instances } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import type { Env } from "#server/env.ts";
import { newestGood } from "#server/operations/goodBackups.ts";
import { foreignRecord } from "#server/operations/steps/dns.ts";
import { isProviderError } from "#server/providers/errors.ts";
import type { Web } from "#server/web.ts";
import { instanceDomainProblem } from "./domains.ts";
import { slugProblem } from "./rules.ts";

type Place = { slug: string; domain: string };

/** Whether an address leads, or will lead, to a live instance other than `exceptId`. */
export function isTaken(tx: Pick<Tx, "select">, { slug, domain }: Place, exceptId = ""): boolean {
  const own = tx
    .select({ id: instances.id })
    .from(instances)
    .where(
      and(
        eq(instances.slug, slug),
        eq(instances.domain, domain),
        isNull(instances.destroyedAt),
        ne(instances.id, exceptId),
      ),
    )
    .get();
  const other = tx
    .select({ id: aliases.id })
    .from(aliases)
    .where(and(eq(aliases.slug, slug), eq(aliases.domain, domain), ne(aliases.instanceId, exceptId)))
    .get();
  return own !== undefined || other !== undefined;
}

/** A name like this one that is free; undefined when none comes to mind. */
function suggestFree(tx: Pick<Tx, "select">, { slug, domain }: Place): string | undefined {
  return Array.from(
    { length: 50 },
    (_, index) => `${slug.slice(0, 37).replace(/-+$/, "")}-${index + 2}`,
  ).find((candidate) => !isTaken(tx, { slug: candidate, domain }));
}

export function addressTaken(tx: Pick<Tx, "select">, { slug, domain }: Place): CommandError {
  const better = suggestFree(tx, { slug, domain });
  const userMessage = `${slug}.${domain} is taken. ${better === undefined ? "Choose another name." : `${better} is available.`}`;
  return new CommandError("conflict", userMessage, { slug: userMessage });
}

/** What is asked before an address is taken, of DigitalOcean and of ourselves. */
export type RecordFinder = Pick<Web, "db" | "deadline"> & {
  digitalocean: Pick<Web["digitalocean"], "findRecords">;
  env: Pick<Env, "baseDomains">;
};

/** For an answer that somebody waits for at a form. */
const lookUpWithinMs = 3000;

/**
 * Whether a DNS record at DigitalOcean uses the address already that we didn't make. False while DigitalOcean doesn't
 * say: the step that makes ours looks again.
 */
export async function hasForeignRecord(
  { db, deadline, digitalocean }: RecordFinder,
  { slug, domain }: Place,
  instanceId = "",
): Promise<boolean> {
  const signal = deadline(lookUpWithinMs);
  try {
    const found = await digitalocean.findRecords(domain, slug, signal);
    if (found.length === 0) return false;
    const ours = db
      .select({ id: dnsRecords.id })
      .from(dnsRecords)
      .where(and(eq(dnsRecords.domain, domain), eq(dnsRecords.name, slug)))
      .all();
    const own = db
      .select({ address: instances.ipAddress })
      .from(instances)
      .where(eq(instances.id, instanceId))
      .get();
    // Those made before ids were kept are known by where they lead.
    return found.some(
      ({ id, type, data }) =>
        !ours.some((record) => record.id === id) && (type !== "A" || data !== own?.address),
    );
  } catch (error) {
    if (isProviderError(error) || signal.aborted) return false;
    throw error;
  }
}

/** Throws a CommandError when a record that we didn't make uses the address. */
export async function refuseForeignRecord(
  finder: RecordFinder,
  place: Place,
  instanceId?: string,
): Promise<void> {
  if (!(await hasForeignRecord(finder, place, instanceId))) return;
  const userMessage = foreignRecord(place);
  throw new CommandError("conflict", userMessage, { slug: userMessage });
}

/** What the form says about a slug while it is typed. */
export async function checkSlug(
  web: RecordFinder,
  { slug, domain, instanceId }: Place & { instanceId?: string | undefined },
) {
  const nothing = { free: false, userMessage: null, suggestion: null, previous: null };
  const problem = slugProblem(slug) ?? instanceDomainProblem(web.db, domain, web.env.baseDomains);
  if (problem !== undefined) return { ...nothing, userMessage: problem };
  if (isTaken(web.db, { slug, domain }, instanceId))
    return {
      ...nothing,
      userMessage: `${slug}.${domain} is taken.`,
      suggestion: suggestFree(web.db, { slug, domain }) ?? null,
    };
  if (await hasForeignRecord(web, { slug, domain }, instanceId))
    return { ...nothing, userMessage: foreignRecord({ slug, domain }) };
  const previous = web.db
    .select({
      id: instances.id,
      company: instances.company,
      destroyedAt: instances.destroyedAt,
      snapshotId: instances.snapshotId,
      purgedAt: instances.purgedAt,
    })
    .from(instances)
    .where(and(eq(instances.slug, slug), eq(instances.domain, domain), isNotNull(instances.destroyedAt)))
    .orderBy(desc(instances.destroyedAt))
    .get();
  if (previous === undefined) return { ...nothing, free: true };
  const { snapshotId, purgedAt, ...shown } = previous;
  const isKept = snapshotId !== null || newestGood(web.db, previous.id) !== undefined;
  return { ...nothing, free: true, previous: { ...shown, canComeBack: purgedAt === null && isKept } };
}
