import { and, eq, gt, inArray } from "drizzle-orm";
import { type Tx, write } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances, operations, snapshots, steps } from "#db/schema.ts";
import { pointAtBest } from "#server/operations/backupUses.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { keepSnapshot, operationOfSnapshot } from "#server/operations/steps/finalSnapshot.ts";

/** For how long after it was begun a snapshot is waited for that its operation has given up. */
const waitedForMs = 7 * 86_400_000;

/** Operations that have failed to take a snapshot which may still become complete. */
const givenUpSnapshots = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select({
      id: operations.id,
      instanceId: operations.instanceId,
      accountId: instances.accountId,
      answeredAt: instances.answeredAt,
    })
    .from(operations)
    .innerJoin(instances, eq(instances.id, operations.instanceId))
    .innerJoin(
      steps,
      and(eq(steps.operationId, operations.id), inArray(steps.name, ["snapshot", "undo-settle"])),
    )
    .where(
      and(
        eq(operations.kind, "destroy"),
        eq(operations.state, "failed"),
        eq(steps.state, "failed"),
        gt(steps.startedMonotonic, given("after")),
      ),
    )
    .prepare(),
);

/**
 * Writes down snapshots that became complete after Destroy had given them up: each costs money, so that it has to be
 * known, can be removed, and brings its instance back when there is nothing better.
 */
export async function noteLateSnapshots(engine: Engine): Promise<void> {
  const { db, now, monotonic, providers } = engine;
  const givenUp = givenUpSnapshots(db).all({ after: monotonic() - waitedForMs });
  if (givenUp.length === 0) return;
  const known = new Set(
    db
      .select({ id: snapshots.id })
      .from(snapshots)
      .all()
      .map(({ id }) => id),
  );
  for (const snapshot of await providers.digitalocean.listSnapshots()) {
    const operation = givenUp.find(({ id }) => id === operationOfSnapshot(snapshot.name));
    if (operation === undefined || known.has(snapshot.id)) continue;
    const { id: operationId, instanceId, accountId, answeredAt } = operation;
    write(db, (tx) => {
      keepSnapshot(tx, snapshot, {
        ...{ instanceId, operationId, accountId, takenAt: now() },
        answered: answeredAt !== null,
      });
      pointAtBest(tx, instanceId);
      appendEvent(tx, { at: now(), kind: "instance", instanceId });
    });
  }
}
