import { and, eq, lte, or } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { aliases, dnsRecords, instances, operations } from "#db/schema.ts";
import type { Alias, Instance } from "#server/operations/engine/define.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { canBeResumed } from "#server/operations/engine/resumable.ts";
import { isBusy } from "./busy.ts";
import { eachWithin } from "./eachWithin.ts";
import { isOfOurTeam } from "./ownTeam.ts";

const namesToFree = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ alias: aliases, instance: instances })
    .from(aliases)
    .innerJoin(instances, eq(instances.id, aliases.instanceId))
    .where(
      or(eq(aliases.role, "next"), and(eq(aliases.role, "redirect"), lte(aliases.expiresAt, given("now")))),
    )
    .prepare(),
);

/**
 * Frees the names that have led to an instance for long enough: redirects whose time is over, and where a move was to
 * go that failed and can't be taken up any more. One of the latter that was a redirect before is one again.
 */
export async function endRedirects(engine: Engine, signal: AbortSignal): Promise<void> {
  const { db, now } = engine;
  const over = namesToFree(db).all({ now: now() });
  const fault = ({ alias }: (typeof over)[number]) => `could not remove the redirect from ${alias.slug}`;
  const end = async ({ alias, instance }: (typeof over)[number]) => {
    if (isBusy(engine, instance.id) || (alias.role === "next" && isStillWanted(engine, alias))) return;
    // That there is no record means something only in the team where it was made.
    if (!(await isOfOurTeam(engine, instance.accountId))) return;
    const leadsHere = alias.role === "next" && alias.expiresAt !== null && alias.expiresAt > now();
    const removed = leadsHere ? [] : await removeRecords(engine, alias, instance);
    write(db, (tx) => {
      if (leadsHere) tx.update(aliases).set({ role: "redirect" }).where(eq(aliases.id, alias.id)).run();
      else tx.delete(aliases).where(eq(aliases.id, alias.id)).run();
      for (const id of removed) tx.delete(dnsRecords).where(eq(dnsRecords.id, id)).run();
      appendEvent(tx, { at: now(), kind: "instance", instanceId: instance.id });
    });
  };
  await eachWithin(engine, over, fault, end, signal);
}

/** Whether the move to this name has failed, and may still be retried or cancelled. */
const isStillWanted = ({ db }: Engine, { instanceId }: Alias): boolean =>
  db
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.instanceId, instanceId), eq(operations.kind, "change-address"), canBeResumed()))
    .get() !== undefined;

/** Removes the records of ours that lead from the name to the instance; returns their ids. */
async function removeRecords(
  { db, providers: { digitalocean } }: Engine,
  { slug, domain }: Alias,
  { id: instanceId, ipAddress: address }: Instance,
): Promise<number[]> {
  const known = db
    .select({ id: dnsRecords.id })
    .from(dnsRecords)
    .where(
      and(eq(dnsRecords.instanceId, instanceId), eq(dnsRecords.domain, domain), eq(dnsRecords.name, slug)),
    )
    .all()
    .map(({ id }) => id);
  const found = await digitalocean.findRecords(domain, slug);
  // Those made before ids were kept are known by where they lead.
  const ours = found.filter((one) => known.includes(one.id) || (one.type === "A" && one.data === address));
  for (const { id } of ours) await digitalocean.removeRecord(domain, id);
  return known;
}
