import { and, eq, inArray } from "drizzle-orm";
import { operations } from "#db/schema.ts";
import type { Engine } from "#server/operations/engine/engine.ts";

/** Whether an operation of the instance is live. */
export function isBusy(engine: Engine, instanceId: string): boolean {
  const live = engine.db
    .select({ id: operations.id })
    .from(operations)
    .where(and(eq(operations.instanceId, instanceId), inArray(operations.state, ["running", "cancelling"])))
    .get();
  return live !== undefined;
}
