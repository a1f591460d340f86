import { and, desc, eq, inArray, isNull } from "drizzle-orm";
import { type Db, type Tx, write } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances, type JsonObject, type OperationKind, operations } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { CommandError } from "#server/commandError.ts";
import { refusalOf, stateOf } from "#server/instances/refusals.ts";
import { newestGood } from "#server/operations/goodBackups.ts";
import { insertOperation } from "./engine/insertOperation.ts";
import { registry } from "./registry.ts";
import { withHalfData } from "./unfinishedChanges.ts";

type Row = typeof instances.$inferSelect;
/** Who begins something: a person by their email, or the Spawner by itself. */
export type OperationStarter = Pick<Clock, "now" | "monotonic"> & {
  db: Db;
  wake: (operationId: string) => void;
};

const queries = prepared((tx: Pick<Tx, "select">) => {
  const isOfInstance = eq(operations.instanceId, given("instanceId"));
  return {
    instance: tx
      .select()
      .from(instances)
      .where(eq(instances.id, given("instanceId")))
      .prepare(),
    newest: tx
      .select()
      .from(operations)
      .where(and(isOfInstance, eq(operations.mutating, true)))
      .orderBy(desc(operations.sequence))
      .prepare(),
    live: tx
      .select({ kind: operations.kind })
      .from(operations)
      .where(
        and(
          isOfInstance,
          eq(operations.mutating, true),
          inArray(operations.state, ["running", "cancelling"]),
        ),
      )
      .prepare(),
    running: tx
      .select({ id: operations.id, facts: operations.facts, batchId: operations.batchId })
      .from(operations)
      .where(
        and(
          isOfInstance,
          eq(operations.kind, given("kind")),
          eq(operations.state, "running"),
          isNull(operations.cancelRequestedAt),
        ),
      )
      .prepare(),
  };
});

export function instanceOf(tx: Pick<Tx, "select">, instanceId: string): Row {
  const instance = queries(tx).instance.get({ instanceId });
  if (instance === undefined) throw new CommandError("not-found", "This instance doesn't exist.");
  return instance;
}

/** The newest operation of the instance that changes it. */
export const newestOperation = (tx: Pick<Tx, "select">, instanceId: string) =>
  queries(tx).newest.get({ instanceId });

type Wish = {
  instanceId: string;
  kind: OperationKind;
  who: string;
  batchId?: string | undefined;
  /** Whether an operation of this kind that is under way is what is wished for now; without it, each is. */
  isSame?: (live: { facts: JsonObject; batchId: string | null }) => boolean;
  /** What the operation is to know, and what people read of it; may write rows of its own, or refuse. */
  plan: (tx: Tx, instance: Row) => { what: string; facts?: JsonObject };
};

/** One operation at a time changes an instance; not all of them show in its status. */
function refuseWhileBusy(tx: Tx, instanceId: string): void {
  const live = queries(tx).live.get({ instanceId });
  if (live !== undefined)
    throw new CommandError("not-now", `Available once “${registry[live.kind].label}” has finished.`);
}

/**
 * Begins an operation of an instance, in one transaction with all that belongs to it. The second press of the same
 * button, with the same wish, is the first one's, unless that is being cancelled. Throws a CommandError when the rules say no.
 */
export function startOperation(beginner: OperationStarter, wish: Wish): string {
  const operationId = write(beginner.db, (tx) => {
    const instance = instanceOf(tx, wish.instanceId);
    const live = queries(tx)
      .running.all({ instanceId: instance.id, kind: wish.kind })
      .find(wish.isSame ?? (() => true));
    if (live !== undefined) return live.id;
    const state = stateOf(instance, {
      hasBackup: newestGood(tx, instance.id) !== undefined,
      dataMayBeHalf: withHalfData(tx, [instance.id]).has(instance.id),
    });
    const refusal = refusalOf(registry[wish.kind], state);
    if (refusal !== null) throw new CommandError("not-now", refusal);
    if (registry[wish.kind].mutating) refuseWhileBusy(tx, instance.id);
    const { kind, who, batchId } = wish;
    const { what, facts = {} } = wish.plan(tx, instance);
    return insertOperation(
      tx,
      { kind, instanceId: instance.id, who, clock: beginner, what, facts, batchId },
      registry[kind],
    );
  });
  beginner.wake(operationId);
  return operationId;
}
