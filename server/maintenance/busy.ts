import { and, eq, inArray } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { operations } from "#db/schema.ts";
import type { Engine } from "#server/operations/engine/engine.ts";

const liveOperation = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({ id: operations.id })
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, given("instanceId")),
        inArray(operations.state, ["running", "cancelling"]),
      ),
    )
    .prepare(),
);

/** Whether an operation of the instance is live. */
export const isBusy = ({ db }: Engine, instanceId: string): boolean =>
  liveOperation(db).get({ instanceId }) !== undefined;
