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

const namesToFree = prepared((tx: Pick<Tx, "select">) => {
  const isOver = or(
    eq(aliases.role, "next"),
    and(eq(aliases.role, "redirect"), lte(aliases.expiresAt, given("now"))),
  );
  const from = () =>
    tx
      .select({ alias: aliases, instance: instances })
      .from(aliases)
      .innerJoin(instances, eq(instances.id, aliases.instanceId));
  return {
    all: from().where(isOver).prepare(),
    one: from()
      .where(and(eq(aliases.id, given("id")), isOver))
      .prepare(),
  };
});

/** A name that is to be freed now, and its instance; undefined while something else is done with the instance. */
function nameToFree(engine: Engine, id: string): { alias: Alias; instance: Instance } | undefined {
  const found = namesToFree(engine.db).one.get({ id, now: engine.now() });
  if (found === undefined || isBusy(engine, found.instance.id)) return undefined;
  return found.alias.role === "next" && isStillWanted(engine, found.alias) ? undefined : found;
}

/**
 * Frees the names that have led to an instance for long enough: redirects whose time is over, and where a move was to
 * go that failed and can't be taken up any more. One of the latter that was a redirect before is one again. The name is
 * left alone if a move back to it has begun since.
 */
export async function endRedirects(engine: Engine, signal: AbortSignal): Promise<void> {
  const { db, now } = engine;
  const over = namesToFree(db).all.all({ now: now() });
  const fault = ({ alias }: (typeof over)[number]) => `could not remove the redirect from ${alias.slug}`;
  const end = async ({ alias: { id } }: (typeof over)[number]) => {
    const found = nameToFree(engine, id);
    if (found === undefined) return;
    const { alias, instance } = found;
    // That there is no record means something only in the team where it was made.
    if (!(await isOfOurTeam(engine, instance.accountId))) return;
    const leadsHere = alias.role === "next" && alias.expiresAt !== null && alias.expiresAt > now();
    const removed = leadsHere ? [] : await removeRecords(engine, alias, instance);
    write(db, (tx) => {
      for (const record of removed) tx.delete(dnsRecords).where(eq(dnsRecords.id, record)).run();
      if (nameToFree(engine, id) === undefined) return;
      if (leadsHere) tx.update(aliases).set({ role: "redirect" }).where(eq(aliases.id, id)).run();
      else tx.delete(aliases).where(eq(aliases.id, id)).run();
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

/** Removes the records of ours that lead from the name to the instance; returns the ids of those that are gone. */
async function removeRecords(
  engine: Engine,
  { id: aliasId, slug, domain }: Alias,
  { id: instanceId, ipAddress: address }: Instance,
): Promise<number[]> {
  const { db, providers } = engine;
  const known = db
    .select({ id: dnsRecords.id })
    .from(dnsRecords)
    .where(
      and(eq(dnsRecords.instanceId, instanceId), eq(dnsRecords.domain, domain), eq(dnsRecords.name, slug)),
    )
    .all()
    .map(({ id }) => id);
  const found = await providers.digitalocean.findRecords(domain, slug);
  // Those made before ids were kept are known by where they lead.
  const ours = found.filter((one) => known.includes(one.id) || (one.type === "A" && one.data === address));
  const removed: number[] = [];
  for (const { id } of ours) {
    if (nameToFree(engine, aliasId) === undefined) return removed;
    await providers.digitalocean.removeRecord(domain, id);
    removed.push(id);
  }
  return known;
}
