import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { readSetting, writeSetting } from "#db/settings.ts";

const name = "reconciliation";
const schema = z.object({
  /** The DigitalOcean account that holds what we bought, as the last round that saw any of it noted. */
  account: z.string().optional(),
  /** The last round that came to its end, by both clocks. */
  checkedAt: z.number().optional(),
  checkedMonotonic: z.number().optional(),
  /** Why the newest round did not, and when; undefined when it did. */
  failure: z.object({ at: z.number(), userMessage: z.string() }).optional(),
});
export type ReconciliationState = z.infer<typeof schema>;

/** How the last round of reconciliation went; empty before the first. */
export const reconciliationState = (tx: Pick<Tx, "select">): ReconciliationState =>
  readSetting(tx, name, schema) ?? {};

export const saveReconciliationState = (tx: Pick<Tx, "insert">, state: ReconciliationState): void =>
  writeSetting(tx, name, state);
