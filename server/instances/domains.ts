import { and, eq, isNull } from "drizzle-orm";
import { parse } from "tldts";
import type { Tx } from "#db/client.ts";
import { aliases, instances } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import type { Env } from "#server/env.ts";
import { domainProblem } from "./rules.ts";

/** Endings that no registry hands out: RFC 2606 and RFC 6761 reserve them for use on one machine, in examples and tests. */
const reservedEndings = new Set(["localhost", "example", "test"]);

/**
 * What is wrong with a domain, in a sentence; undefined when somebody can own it. Besides its form this asks the Public
 * Suffix List: `co.uk` belongs to a registry, and `127.1` is how some programs write an IP address.
 */
export function ownedDomainProblem(domain: string): string | undefined {
  const problem = domainProblem(domain);
  if (problem !== undefined) return problem;
  const found = parse(domain, { allowPrivateDomains: true });
  const isKnown = found.isIcann === true || found.isPrivate === true;
  if (!isKnown && !reservedEndings.has(found.publicSuffix ?? ""))
    return `${domain} isn't a domain on the internet. Use one such as intranet.io.`;
  if (found.domain === null)
    return `${domain} is an ending under which others register domains. Use a domain of your own, such as intranet.io.`;
  return undefined;
}

const isUnder = (name: string, zone: string): boolean => name.endsWith(`.${zone}`);

/**
 * Why a zone of this domain would take names away, in a sentence; undefined when it wouldn't. DigitalOcean answers for all
 * of a zone: one for `sec1.intranet.io` would take the instance of that name off the net, and one above or under another
 * zone of ours would hide its names. `baseDomains`: the zones that instances are offered.
 */
function zoneProblem(
  tx: Pick<Tx, "select">,
  domain: string,
  baseDomains: readonly string[],
): string | undefined {
  const zones = new Set(baseDomains);
  const { domain: ofInstance, destroyedAt } = instances;
  const used = tx
    .select({ zone: ofInstance })
    .from(instances)
    .where(isNull(destroyedAt))
    .groupBy(ofInstance)
    .all();
  const led = tx.select({ zone: aliases.domain }).from(aliases).groupBy(aliases.domain).all();
  for (const { zone } of [...used, ...led]) zones.add(zone);
  if (zones.has(domain)) return undefined;
  const above = [...zones].find((zone) => isUnder(domain, zone));
  if (above !== undefined)
    return isInUse(tx, domain, above)
      ? `${domain} is an instance's address. Use a domain outside ${above}.`
      : `${domain} belongs to ${above}. Choose ${above}, or a domain outside it.`;
  const below = [...zones].find((zone) => isUnder(zone, domain));
  if (below === undefined) return undefined;
  return `${domain} contains ${below}, which other instances use. Choose ${below}, or another domain.`;
}

/** What is wrong with a domain for an instance, in a sentence; undefined when an instance may have its address there. */
export const instanceDomainProblem = (
  tx: Pick<Tx, "select">,
  domain: string,
  baseDomains: readonly string[],
): string | undefined => ownedDomainProblem(domain) ?? zoneProblem(tx, domain, baseDomains);

/** Throws a CommandError when an instance must not have its address in this domain. */
export function refuseDomain(
  tx: Pick<Tx, "select">,
  domain: string,
  { baseDomains }: Pick<Env, "baseDomains">,
): void {
  const userMessage = instanceDomainProblem(tx, domain, baseDomains);
  if (userMessage !== undefined) throw new CommandError("invalid", userMessage, { domain: userMessage });
}

/** Whether the name, or one that it is under, is the address of a live instance in the zone, or leads to one. */
function isInUse(tx: Pick<Tx, "select">, name: string, zone: string): boolean {
  const labels = name.slice(0, -zone.length - 1).split(".");
  const slug = labels.at(-1) ?? "";
  const own = tx
    .select({ id: instances.id })
    .from(instances)
    .where(and(eq(instances.slug, slug), eq(instances.domain, zone), isNull(instances.destroyedAt)))
    .get();
  const alias = tx
    .select({ id: aliases.id })
    .from(aliases)
    .where(and(eq(aliases.slug, slug), eq(aliases.domain, zone)))
    .get();
  return own !== undefined || alias !== undefined;
}
