import { eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import type { JsonObject, OperationKind } from "#db/schema.ts";
import { audit, instances, operations, steps, wakeUps } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { newId } from "#server/ids.ts";
import { registry } from "#server/operations/registry.ts";
import { earlierRequests } from "#server/operations/steps/earlierRequests.ts";
import { type AnyDefinition, plannedSteps } from "./define.ts";
import { appendEvent } from "./events.ts";
import { nextSequence } from "./sequence.ts";

/**
 * Writes an operation, its steps, its first event and its wake-up: with the caller's transaction a click is either
 * kept as a whole or not at all. Throws SQLite's unique violation when another operation of the instance is live.
 */
export function insertOperation(
  tx: Tx,
  wish: {
    kind: OperationKind;
    instanceId: string;
    who: string;
    clock: Pick<Clock, "now" | "monotonic">;
    facts?: JsonObject;
    what: string;
    /** What one click began together. */
    batchId?: string | undefined;
  },
  definition: AnyDefinition = registry[wish.kind],
): string {
  const id = newId();
  const { kind, instanceId, who, clock } = wish;
  const at = clock.now();
  const dueAt = clock.monotonic();
  const before = tx
    .select({ status: instances.status })
    .from(instances)
    .where(eq(instances.id, instanceId))
    .get();
  tx.insert(operations)
    .values({
      id,
      sequence: nextSequence(tx, operations),
      instanceId,
      kind,
      state: "running",
      mutating: definition.mutating,
      facts: { ...(definition.mutating ? earlierRequests(tx, instanceId, dueAt) : {}), ...wish.facts },
      statusBefore: before?.status ?? "running",
      batchId: wish.batchId ?? null,
      createdBy: who,
      createdAt: at,
    })
    .run();
  for (const { step, position, fork, branch } of plannedSteps(definition))
    tx.insert(steps)
      .values({
        operationId: id,
        name: step.name,
        label: step.label,
        position,
        fork,
        branch,
        state: "waiting",
        dueAt,
      })
      .run();
  const { during } = definition.status;
  if (during !== "before")
    tx.update(instances).set({ status: during }).where(eq(instances.id, instanceId)).run();
  tx.insert(wakeUps).values({ operationId: id, dueAt }).run();
  tx.insert(audit).values({ at, who, what: wish.what, instanceId, operationId: id }).run();
  appendEvent(tx, { at, kind: "operation", instanceId, operationId: id, data: { state: "running", kind } });
  return id;
}
