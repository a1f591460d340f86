import { and, eq, inArray, ne, or } from "drizzle-orm";
import { type Tx, write } from "../../db/client.ts";
import { instances, operations, strays } from "../../db/schema.ts";
import { type Beginner, beginFor } from "../instances/begin.ts";
import { operationIdOf } from "../operations/droplet.ts";
import type { Engine } from "../operations/engine.ts";
import type { Droplet } from "../providers/digitalocean/digitalocean.ts";
import { Refusal } from "../refusal.ts";
import type { StrayView } from "../views.ts";

/** Younger ones may be somebody's in a moment; and the list lags behind what is destroyed. */
const settledMs = 10 * 60_000;

/** Writes down which of our droplets belong to nothing: none should, whatever happened here or at DigitalOcean. */
export async function noteStrays(engine: Engine): Promise<void> {
  const droplets = await engine.providers.digitalocean.listDroplets();
  write(engine.db, (tx) => {
    const found = straysAmong(tx, droplets, engine.now());
    tx.delete(strays).run();
    for (const row of found) tx.insert(strays).values(row).run();
  });
}

/**
 * Only what an operation of ours has bought: another Spawner may share the account. What an operation works on, or a
 * failed proof still holds for its Retry, is none.
 */
function straysAmong(tx: Tx, droplets: readonly Droplet[], now: number): (typeof strays.$inferInsert)[] {
  const settled = droplets.filter((droplet) => now - Date.parse(droplet.createdAt) >= settledMs);
  const buyers = new Map(settled.map((droplet) => [droplet.id, operationIdOf(droplet.tags)]));
  const bought = tx
    .select()
    .from(operations)
    .where(
      inArray(
        operations.id,
        [...buyers.values()].filter((id) => id !== undefined),
      ),
    )
    .all();
  const open = tx
    .select()
    .from(operations)
    .where(
      or(
        and(ne(operations.kind, "remove-stray"), inArray(operations.state, ["running", "cancelling"])),
        and(eq(operations.kind, "prove"), eq(operations.state, "failed")),
      ),
    )
    .all();
  const owned = new Set([
    ...tx
      .select({ dropletId: instances.dropletId })
      .from(instances)
      .all()
      .map((row) => row.dropletId),
    ...open.map((row) => row.facts.dropletId),
  ]);
  return settled.flatMap(({ id: dropletId, name, priceMonthly, createdAt }) => {
    const buyer = bought.find((row) => row.id === buyers.get(dropletId));
    if (buyer === undefined || owned.has(dropletId) || open.some((row) => row.id === buyer.id)) return [];
    return [
      {
        ...{ dropletId, name, instanceId: buyer.instanceId, createdAt: Date.parse(createdAt) },
        priceMonthly: Math.round(priceMonthly * 100),
      },
    ];
  });
}

/** Droplets that cost money and belong to nothing. */
export const strayViews = (tx: Pick<Tx, "select">): StrayView[] =>
  tx
    .select({ stray: strays, slug: instances.slug, company: instances.company })
    .from(strays)
    .innerJoin(instances, eq(instances.id, strays.instanceId))
    .all()
    .map(({ stray: { priceMonthly, ...stray }, ...named }) => ({
      ...stray,
      ...named,
      priceMonthlyCents: priceMonthly,
    }));

/** Destroys one of them. The second press is the first one's. */
export function removeStray(beginner: Beginner, { dropletId }: { dropletId: number }, who: string) {
  const stray = strayViews(beginner.db).find((one) => one.dropletId === dropletId);
  if (stray === undefined) throw new Refusal("not-found", "This droplet is gone, or belongs to an instance.");
  const { instanceId, slug, name } = stray;
  const operationId = beginFor(beginner, {
    instanceId,
    kind: "remove-stray",
    who,
    isSame: ({ facts }) => facts.dropletId === dropletId,
    plan: () => ({
      what: `destroyed the stray droplet ${name}`,
      facts: { dropletId, throwaway: true },
    }),
  });
  return { operationId, instanceId, slug };
}
