import { inArray } from "drizzle-orm";
import type { z } from "zod";
import { instances } from "#db/schema.ts";
import { backUp } from "#server/backups/commands/backUp.ts";
import { CommandError } from "#server/commandError.ts";
import { newId } from "#server/ids.ts";
import { startDestroy } from "#server/instances/commands/destroyInstance.ts";
import { matchingIds, type matchingInput } from "#server/instances/list.ts";
import type { OperationStarter } from "#server/operations/startOperation.ts";
import { maxBulk, tooManyAtOnce } from "./views.ts";

/** Instances by their ids, or whatever a search and a status mean at the moment of the click. */
type Chosen = { instanceIds: readonly string[] } | { matching: z.infer<typeof matchingInput> };

export type BulkOutcome = {
  batchId: string;
  begun: number;
  /** What could not be begun, and why. */
  refused: { company: string; userMessage: string }[];
};

/**
 * Does one thing with many instances: each gets an operation of its own, all bear the same batch. What cannot be begun
 * now is said, and keeps nothing else from beginning. `confirm` is the number of instances, for what destroys.
 */
export function inBulk(
  beginner: OperationStarter,
  input: { action: "destroy" | "backUp"; confirm?: number | undefined } & Chosen,
  who: string,
): BulkOutcome {
  const ids =
    "matching" in input ? matchingIds(beginner.db, input.matching) : [...new Set(input.instanceIds)];
  if (ids.length > maxBulk) throw new CommandError("invalid", tooManyAtOnce(ids.length));
  if (input.action === "destroy" && input.confirm !== ids.length) {
    const userMessage = `Type ${ids.length} to confirm.`;
    throw new CommandError("invalid", userMessage, { confirm: userMessage });
  }
  const rows = beginner.db.select().from(instances).where(inArray(instances.id, ids)).all();
  const batchId = newId();
  const refused: BulkOutcome["refused"] = [];
  for (const { id, company } of rows) {
    try {
      if (input.action === "backUp") backUp(beginner, { instanceId: id, batchId }, who);
      else startDestroy(beginner, { instanceId: id, batchId }, who);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      refused.push({ company, userMessage: error.message });
    }
  }
  return { batchId, begun: rows.length - refused.length, refused };
}
