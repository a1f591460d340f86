import { eq, lte } from "drizzle-orm";
import { instances } from "../../db/schema.ts";
import { backUp, proveBackup } from "../backups/commands.ts";
import { nextBackup, nextProof } from "../backups/schedule.ts";
import type { Engine } from "../operations/engine.ts";
import { spawnerItself } from "../views.ts";
import { attempt } from "./attempt.ts";

/** What is busy when its backup is due is asked again after this long. */
const busyPauseMs = 10 * 60_000;

export function beginDueBackups(engine: Engine): void {
  const now = engine.now();
  const due = engine.db.select().from(instances).where(lte(instances.nextBackupAt, now)).all();
  for (const { id, backupPlan, status } of due) {
    const begun =
      status !== "destroyed" &&
      attempt(() => backUp(engine, { instanceId: id, reason: "scheduled" }, spawnerItself));
    const nextBackupAt = begun || status === "destroyed" ? nextBackup(backupPlan, now) : now + busyPauseMs;
    engine.db.update(instances).set({ nextBackupAt }).where(eq(instances.id, id)).run();
  }
}

export function beginDueProofs(engine: Engine): void {
  const now = engine.now();
  const due = engine.db.select().from(instances).where(lte(instances.nextProofAt, now)).all();
  for (const { id, backupPlan } of due) {
    const begun = attempt(() => proveBackup(engine, { instanceId: id }, spawnerItself));
    const nextProofAt = begun ? nextProof(backupPlan, now) : now + busyPauseMs;
    engine.db.update(instances).set({ nextProofAt }).where(eq(instances.id, id)).run();
  }
}
