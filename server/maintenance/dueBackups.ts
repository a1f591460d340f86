import { and, eq, lte } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { instances } from "#db/schema.ts";
import { spawnerItself } from "#server/api/views.ts";
import { backUp } from "#server/backups/commands/backUp.ts";
import { testRestore } from "#server/backups/commands/testRestore.ts";
import { nextBackup, nextRestoreTest } from "#server/instances/backupPlan.ts";
import type { Instance } from "#server/operations/engine/define.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { instanceOf } from "#server/operations/startOperation.ts";
import { attempt } from "./attempt.ts";
import { eachWithin } from "./eachWithin.ts";

/** What is busy when its backup is due is asked again after this long. */
const busyPauseMs = 10 * 60_000;

/** All may be due at once, so each full row is read only when its turn comes. */
const named = { id: instances.id, slug: instances.slug };
type Named = Pick<Instance, keyof typeof named>;

const dueBackups = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select(named)
    .from(instances)
    .where(lte(instances.nextBackupAt, given("now")))
    .prepare(),
);
const dueRestoreTests = prepared((tx: Pick<Tx, "select">) =>
  tx
    .select(named)
    .from(instances)
    .where(lte(instances.nextRestoreTestAt, given("now")))
    .prepare(),
);

export function startDueBackups(engine: Engine, signal: AbortSignal): Promise<void> {
  const now = engine.now();
  const due = dueBackups(engine.db).all({ now });
  const fault = ({ slug }: Named) => `could not start the due backup of ${slug}`;
  const begin = ({ id }: Named) => {
    const { backupPlan, status, nextBackupAt: dueAt } = instanceOf(engine.db, id);
    // Its plan may have changed while others were handled.
    if (dueAt === null || dueAt > now) return;
    // Known before anything begins: a plan that cannot be read begins none, instead of one each minute.
    const planned = nextBackup(backupPlan, now);
    const begun =
      status !== "destroyed" &&
      attempt(() => backUp(engine, { instanceId: id, reason: "scheduled" }, spawnerItself));
    const nextBackupAt = begun || status === "destroyed" ? planned : now + busyPauseMs;
    // Unless its plan has been changed since, which says when the next one is due.
    const isAsBefore = and(eq(instances.id, id), eq(instances.nextBackupAt, dueAt));
    engine.db.update(instances).set({ nextBackupAt }).where(isAsBefore).run();
  };
  return eachWithin(engine, due, fault, begin, signal);
}

export function startDueRestoreTests(engine: Engine, signal: AbortSignal): Promise<void> {
  const now = engine.now();
  const due = dueRestoreTests(engine.db).all({ now });
  const fault = ({ slug }: Named) => `could not start the due test restore of ${slug}`;
  const begin = ({ id }: Named) => {
    const { backupPlan, nextRestoreTestAt: dueAt } = instanceOf(engine.db, id);
    if (dueAt === null || dueAt > now) return;
    const begun = attempt(() => testRestore(engine, { instanceId: id }, spawnerItself));
    const nextRestoreTestAt = begun ? nextRestoreTest(backupPlan, now) : now + busyPauseMs;
    const isAsBefore = and(eq(instances.id, id), eq(instances.nextRestoreTestAt, dueAt));
    engine.db.update(instances).set({ nextRestoreTestAt }).where(isAsBefore).run();
  };
  return eachWithin(engine, due, fault, begin, signal);
}
