import { z } from "zod";
import { snapshots } from "#db/schema.ts";
import { defineOperation, done, type Outcome, type StepContext, StepFailure, step } from "./engine/define.ts";
import { nextSequence } from "./engine/sequence.ts";
import { type DriftFacts, driftFacts, findingOf, forget } from "./steps/driftFinding.ts";

async function adoptSnapshot(context: StepContext<DriftFacts>): Promise<Outcome<DriftFacts>> {
  const { facts, instance, providers } = context;
  const one = await findingOf(context, ["orphaned-snapshot"]);
  const { snapshotId: id, operationId, name } = one;
  const snapshot = await providers.digitalocean.findSnapshot(id);
  if (snapshot === undefined || snapshot.name !== name)
    throw new StepFailure("The snapshot is gone, so there is nothing to adopt.", `snapshot ${id}`);
  if (instance.snapshotId !== null && instance.snapshotId !== id)
    throw new StepFailure(
      `${instance.company} already has another snapshot.`,
      `snapshot ${instance.snapshotId}`,
    );
  const { sizeGb, createdAt: takenAt } = snapshot;
  return done({
    instance: { snapshotId: id, snapshotAt: takenAt },
    rows: (tx) => {
      const row = {
        operationId,
        accountId: facts.account ?? instance.accountId,
        name,
        sizeGb,
        takenAt,
        ...{ removingAt: null, removedAt: null },
        answered: instance.answeredAt !== null,
      };
      tx.insert(snapshots)
        .values({ id, instanceId: instance.id, sequence: nextSequence(tx, snapshots), ...row })
        .onConflictDoUpdate({ target: snapshots.id, set: row })
        .run();
      forget(one)(tx);
    },
  });
}

/** A destroyed instance can be brought back again, from a snapshot that no row knew. */
export const adoptSnapshotOperation = defineOperation<DriftFacts>({
  kind: "adopt-snapshot",
  label: "Adopt a snapshot",
  userMessages: {
    cancelling: "The snapshot stays as it is.",
    cancelled: "The snapshot wasn't adopted. It may still exist and cost money.",
    failed: "The snapshot wasn't adopted. It may still exist and cost money.",
  },
  facts: z.object(driftFacts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: true,
  driftAction: "adopt",
  repairsDrift: true,
  steps: [step("adopt-snapshot", "Adopt the snapshot", adoptSnapshot)],
});
