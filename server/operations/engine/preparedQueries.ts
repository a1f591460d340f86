import { and, asc, eq, gt, isNull, lt, or, sql } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared, setTo } from "#db/prepared.ts";
import {
  aliases,
  type Failure,
  type InstanceStatus,
  instances,
  type JsonObject,
  type OperationState,
  operations,
  type StepProgress,
  type StepState,
  steps,
  wakeUps,
  workers,
} from "#db/schema.ts";
import type { PlanRow, StepRow } from "./plan.ts";

type ThisStep = Pick<StepRow, "operationId" | "name">;
type HeldStep = Pick<StepRow, "operationId" | "name" | "fence">;
const textOf = (value: StepProgress | Failure | null) => (value === null ? null : JSON.stringify(value));

/** What every wake-up asks and writes. */
export const preparedQueries = prepared((db: Pick<Tx, "select" | "insert" | "update" | "delete">) => {
  const isThisStep = and(eq(steps.operationId, given("operationId")), eq(steps.name, given("name")));
  const isHeldStep = and(isThisStep, eq(steps.fence, given("fence")));
  const isThisOperation = eq(operations.id, given("id"));
  const queries = {
    operation: db.select().from(operations).where(isThisOperation).prepare(),
    facts: db.select({ facts: operations.facts }).from(operations).where(isThisOperation).prepare(),
    setFacts: db
      .update(operations)
      .set({ facts: setTo("facts") })
      .where(isThisOperation)
      .prepare(),
    instance: db
      .select()
      .from(instances)
      .where(eq(instances.id, given("id")))
      .prepare(),
    aliases: db
      .select()
      .from(aliases)
      .where(eq(aliases.instanceId, given("instanceId")))
      .prepare(),
    steps: db
      .select()
      .from(steps)
      .where(eq(steps.operationId, given("operationId")))
      .orderBy(asc(steps.position))
      .prepare(),
    plan: db
      .select({
        name: steps.name,
        position: steps.position,
        fork: steps.fork,
        branch: steps.branch,
        undo: steps.undo,
        state: steps.state,
        claimedBy: steps.claimedBy,
        dueAt: steps.dueAt,
        failure: steps.failure,
      })
      .from(steps)
      .where(eq(steps.operationId, given("operationId")))
      .orderBy(asc(steps.position))
      .prepare(),
    step: db.select().from(steps).where(isThisStep).prepare(),
    fence: db.select({ fence: steps.fence }).from(steps).where(isThisStep).prepare(),
    claim: db
      .update(steps)
      .set({
        fence: setTo("fence"),
        claimedBy: setTo("claimedBy"),
        state: "running",
        startedAt: setTo("startedAt"),
        startedMonotonic: setTo("startedMonotonic"),
        queuedAt: null,
        progress: setTo("progress"),
      })
      .where(isThisStep)
      .prepare(),
    lookAgain: db
      .update(steps)
      .set({ claimedBy: null, dueAt: setTo("dueAt"), progress: setTo("progress") })
      .where(isHeldStep)
      .prepare(),
    endStep: db
      .update(steps)
      .set({ state: setTo("state"), endedAt: setTo("at"), claimedBy: null, failure: setTo("failure") })
      .where(isHeldStep)
      .prepare(),
    endOperation: db
      .update(operations)
      .set({ state: setTo("state"), endedAt: setTo("at"), failure: setTo("failure") })
      .where(isThisOperation)
      .prepare(),
    setStatus: db
      .update(instances)
      .set({ status: setTo("status") })
      .where(eq(instances.id, given("id")))
      .prepare(),
    leaseUntil: db
      .select({ until: workers.leaseUntil })
      .from(workers)
      .where(and(eq(workers.id, given("id")), gt(workers.leaseUntil, given("now"))))
      .prepare(),
    renewLease: db
      .update(workers)
      .set({ leaseUntil: setTo("until") })
      .where(and(eq(workers.id, given("id")), gt(workers.leaseUntil, given("now"))))
      .prepare(),
    fenceAndCancel: db
      .select({ fence: steps.fence, cancelledAt: operations.cancelRequestedAt, state: operations.state })
      .from(steps)
      .innerJoin(operations, eq(operations.id, steps.operationId))
      .where(isThisStep)
      .prepare(),
    setWakeUp: db
      .insert(wakeUps)
      .values({ operationId: given("operationId"), dueAt: given("dueAt"), sentAt: null })
      .onConflictDoUpdate({ target: wakeUps.operationId, set: { dueAt: sql`excluded.due_at`, sentAt: null } })
      .prepare(),
    clearWakeUp: db
      .delete(wakeUps)
      .where(eq(wakeUps.operationId, given("operationId")))
      .prepare(),
    wakeUp: db
      .select({ dueAt: wakeUps.dueAt })
      .from(wakeUps)
      .where(eq(wakeUps.operationId, given("operationId")))
      .prepare(),
    unsentWakeUps: db
      .select()
      .from(wakeUps)
      .where(or(isNull(wakeUps.sentAt), lt(wakeUps.dueAt, given("before"))))
      .prepare(),
  };
  return {
    operation: (id: string) => queries.operation.get({ id }),
    facts: (id: string) => queries.facts.get({ id })?.facts,
    setFacts: (id: string, facts: JsonObject) =>
      void queries.setFacts.run({ id, facts: JSON.stringify(facts) }),
    instance: (id: string) => queries.instance.get({ id }),
    aliases: (instanceId: string) => queries.aliases.all({ instanceId }),
    /** The steps of an operation in their order. */
    steps: (operationId: string) => queries.steps.all({ operationId }),
    /** The same, with as much of each as says what is to be done next. */
    plan: (operationId: string): PlanRow[] => queries.plan.all({ operationId }),
    step: ({ operationId, name }: ThisStep): StepRow | undefined => queries.step.get({ operationId, name }),
    fence: ({ operationId, name }: ThisStep) => queries.fence.get({ operationId, name })?.fence,
    /** Writes down that the step is claimed, as this row says. */
    claim: (row: StepRow) => void queries.claim.run({ ...row, progress: textOf(row.progress) }),
    /** Hands the claim back until the step is looked at again. */
    lookAgain: ({ operationId, name, fence }: HeldStep, next: Pick<StepRow, "dueAt" | "progress">) =>
      void queries.lookAgain.run({
        ...{ operationId, name, fence },
        ...{ dueAt: next.dueAt, progress: textOf(next.progress) },
      }),
    endStep: (
      { operationId, name, fence }: HeldStep,
      end: { state: StepState; at: number; failure: Failure | null },
    ) => void queries.endStep.run({ ...{ operationId, name, fence }, ...end, failure: textOf(end.failure) }),
    endOperation: (id: string, end: { state: OperationState; at: number; failure: Failure | null }) =>
      void queries.endOperation.run({ id, ...end, failure: textOf(end.failure) }),
    setStatus: (instanceId: string, status: InstanceStatus) =>
      void queries.setStatus.run({ id: instanceId, status }),
    /** Until when a worker whose lease still runs at `now` holds its claims, by the monotonic clock. */
    leaseUntil: (id: string, now: number) => queries.leaseUntil.get({ id, now })?.until,
    /** False when the lease is over already. */
    renewLease: (id: string, { now, until }: { now: number; until: number }) =>
      queries.renewLease.run({ id, now, until }).changes === 1,
    fenceAndCancel: ({ operationId, name }: ThisStep) => queries.fenceAndCancel.get({ operationId, name }),
    /** When the operation wants to be looked at next. */
    wakeUp: (operationId: string) => queries.wakeUp.get({ operationId })?.dueAt,
    setWakeUp: (operationId: string, dueAt: number) => void queries.setWakeUp.run({ operationId, dueAt }),
    clearWakeUp: (operationId: string) => void queries.clearWakeUp.run({ operationId }),
    /** Those that the queue was not told of, and those that were due before that moment. */
    unsentWakeUps: (before: number) => queries.unsentWakeUps.all({ before }),
  };
});
