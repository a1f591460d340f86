import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import type { JsonObject, OperationKind } from "#db/schema.ts";
import { audit, operations, steps } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { newId } from "#server/ids.ts";
import { registry } from "#server/operations/registry.ts";
import { earlierRequests } from "#server/operations/steps/earlierRequests.ts";
import { whatMayDiffer } from "#server/operations/unfinishedChanges.ts";
import { type AnyDefinition, plannedSteps } from "./define.ts";
import { appendEvent } from "./events.ts";
import { preparedQueries } from "./preparedQueries.ts";
import { nextSequence } from "./sequence.ts";

const writing = prepared((tx: Pick<Tx, "insert">) => ({
  operation: tx
    .insert(operations)
    .values({
      id: given("id"),
      sequence: given("sequence"),
      instanceId: given("instanceId"),
      kind: given("kind"),
      state: "running",
      mutating: given("mutating"),
      facts: given("facts"),
      statusBefore: given("statusBefore"),
      batchId: given("batchId"),
      createdBy: given("who"),
      createdAt: given("at"),
    })
    .prepare(),
  step: tx
    .insert(steps)
    .values({
      operationId: given("operationId"),
      name: given("name"),
      label: given("label"),
      position: given("position"),
      fork: given("fork"),
      branch: given("branch"),
      state: "waiting",
      dueAt: given("dueAt"),
    })
    .prepare(),
  audit: tx
    .insert(audit)
    .values({
      at: given("at"),
      who: given("who"),
      what: given("what"),
      instanceId: given("instanceId"),
      operationId: given("operationId"),
    })
    .prepare(),
}));

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
  const queries = preparedQueries(tx);
  const write = writing(tx);
  const known = definition.mutating
    ? {
        ...earlierRequests(tx, instanceId, dueAt),
        ...whatMayDiffer(tx, instanceId),
      }
    : {};
  const facts: JsonObject = { ...known, ...wish.facts };
  write.operation.run({
    ...{ id, instanceId, kind, who, at },
    sequence: nextSequence(tx, operations),
    mutating: definition.mutating,
    facts,
    statusBefore: queries.instance(instanceId)?.status ?? "running",
    batchId: wish.batchId ?? null,
  });
  for (const { step, position, fork, branch } of plannedSteps(definition, facts)) {
    const { name, label } = step;
    write.step.run({ operationId: id, name, label, position, fork, branch, dueAt });
  }
  const { during } = definition.status;
  if (during !== "before") queries.setStatus(instanceId, during);
  queries.setWakeUp(id, dueAt);
  write.audit.run({ at, who, what: wish.what, instanceId, operationId: id });
  appendEvent(tx, { at, kind: "operation", instanceId, operationId: id, data: { state: "running", kind } });
  return id;
}
