import { and, desc, eq, inArray, isNull } from "drizzle-orm";
import { z } from "zod";
import { backups, instances, operations } from "../../db/schema.ts";
import { manifestKey } from "../operations/backupSteps.ts";
import type { Engine } from "../operations/engine.ts";
import { sourceFacts } from "../operations/restoreSteps.ts";

const dayMs = 86_400_000;

const facts = z.object(sourceFacts).partial();

/** Backups that a live operation reads or writes. */
function backupsInUse(engine: Engine): Set<string> {
  const live = engine.db
    .select({ id: operations.id, facts: operations.facts })
    .from(operations)
    .where(inArray(operations.state, ["running", "cancelling"]))
    .all();
  return new Set(live.flatMap((row) => [row.id, facts.safeParse(row.facts).data?.source?.id ?? row.id]));
}

/** By count and by age, as each plan says; never the last good one, and nothing of a destroyed instance. */
export async function applyRetention(engine: Engine, signal: AbortSignal): Promise<void> {
  const now = engine.now();
  const rows = engine.db
    .select({ backup: backups, plan: instances.backupPlan })
    .from(backups)
    .innerJoin(instances, eq(instances.id, backups.instanceId))
    .where(and(isNull(instances.destroyedAt), inArray(backups.state, ["good", "failed"])))
    .orderBy(desc(backups.sequence))
    .all();
  const inUse = backupsInUse(engine);
  const good = new Map<string, number>();
  for (const { backup, plan } of rows) {
    const before = good.get(backup.instanceId) ?? 0;
    if (backup.state === "good") good.set(backup.instanceId, before + 1);
    const isOld = now - backup.createdAt > plan.keepDays * dayMs;
    const isLastGood = backup.state === "good" && before === 0;
    const goes =
      backup.state === "failed" ? now - backup.createdAt > dayMs : isOld || before >= plan.keepCount;
    if (!goes || isLastGood || inUse.has(backup.id)) continue;
    await engine.providers.backups.remove(backup.key, signal);
    await engine.providers.backups.remove(manifestKey(backup.key), signal);
    engine.db
      .update(backups)
      .set({ state: "removed", removedAt: now })
      .where(eq(backups.id, backup.id))
      .run();
  }
}
