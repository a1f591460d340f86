import { and, eq, lte } from "drizzle-orm";
import { write } from "../../db/client.ts";
import { aliases, instances } from "../../db/schema.ts";
import type { Engine } from "../operations/engine.ts";
import { appendEvent } from "../operations/events.ts";
import { isBusy } from "./busy.ts";
import { oneByOne } from "./oneByOne.ts";

/** Removes the records of addresses that lead elsewhere, once their time is over. */
export async function endRedirects(engine: Engine, signal: AbortSignal): Promise<void> {
  const over = engine.db
    .select({ alias: aliases, address: instances.address })
    .from(aliases)
    .innerJoin(instances, eq(instances.id, aliases.instanceId))
    .where(and(eq(aliases.role, "redirect"), lte(aliases.expiresAt, engine.now())))
    .all();
  const fault = ({ alias }: (typeof over)[number]) => `the redirect from ${alias.slug} could not be removed`;
  const end = async ({ alias, address }: (typeof over)[number]) => {
    if (isBusy(engine, alias.instanceId)) return;
    if (address !== null)
      await engine.providers.digitalocean.removeARecords({ domain: alias.domain, name: alias.slug, address });
    write(engine.db, (tx) => {
      tx.delete(aliases).where(eq(aliases.id, alias.id)).run();
      appendEvent(tx, { at: engine.now(), kind: "instance", instanceId: alias.instanceId });
    });
  };
  await oneByOne(engine, over, fault, end, signal);
}
