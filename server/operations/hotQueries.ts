import { and, asc, eq, gt, sql } from "drizzle-orm";
import type { Db } from "../../db/client.ts";
import { aliases, instances, operations, steps, wakeUps, workers } from "../../db/schema.ts";

const given = sql.placeholder;

/**
 * What every wake-up asks and writes, prepared once for each database: building these queries anew costs several times
 * what running them does. They take part in whatever transaction is open, because a database has one connection.
 */
function prepareQueries(db: Db) {
  const isThisStep = and(eq(steps.operationId, given("operationId")), eq(steps.name, given("name")));
  const queries = {
    operation: db
      .select()
      .from(operations)
      .where(eq(operations.id, given("id")))
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
    fence: db.select({ fence: steps.fence }).from(steps).where(isThisStep).prepare(),
    leases: db
      .select()
      .from(workers)
      .where(gt(workers.leaseUntil, given("now")))
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
      .select()
      .from(wakeUps)
      .where(eq(wakeUps.operationId, given("operationId")))
      .prepare(),
  };
  return {
    operation: (id: string) => queries.operation.get({ id }),
    instance: (id: string) => queries.instance.get({ id }),
    aliases: (instanceId: string) => queries.aliases.all({ instanceId }),
    /** The steps of an operation in their order. */
    steps: (operationId: string) => queries.steps.all({ operationId }),
    fence: (operationId: string, name: string) => queries.fence.get({ operationId, name })?.fence,
    /** The workers whose leases still run at `now`, by the monotonic clock. */
    leases: (now: number) => queries.leases.all({ now }),
    wakeUp: (operationId: string) => queries.wakeUp.get({ operationId }),
    setWakeUp: (operationId: string, dueAt: number) => void queries.setWakeUp.run({ operationId, dueAt }),
    clearWakeUp: (operationId: string) => void queries.clearWakeUp.run({ operationId }),
  };
}

const prepared = new WeakMap<Db, ReturnType<typeof prepareQueries>>();

export function hotQueries(db: Db): ReturnType<typeof prepareQueries> {
  const known = prepared.get(db) ?? prepareQueries(db);
  prepared.set(db, known);
  return known;
}
