import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "../../db/client.ts";
import { settings } from "../../db/schema.ts";

const name = "reconciliation";
const schema = z.object({
  /** The DigitalOcean account that holds what we bought, as the last round that saw any of it noted. */
  account: z.string().optional(),
  /** The last round that came to its end, by both clocks. */
  checkedAt: z.number().optional(),
  checkedMonotonic: z.number().optional(),
  /** Why the newest round did not, and when; undefined when it did. */
  failure: z.object({ at: z.number(), sentence: z.string() }).optional(),
});
export type ReconciliationState = z.infer<typeof schema>;

/** How the last round of reconciliation went; empty before the first. */
export function reconciliationState(tx: Pick<Tx, "select">): ReconciliationState {
  const row = tx.select().from(settings).where(eq(settings.name, name)).get();
  return row === undefined ? {} : schema.parse(JSON.parse(row.value));
}

export function saveReconciliationState(tx: Pick<Tx, "insert">, state: ReconciliationState): void {
  const value = JSON.stringify(state);
  tx.insert(settings)
    .values({ name, value })
    .onConflictDoUpdate({ target: settings.name, set: { value } })
    .run();
}
