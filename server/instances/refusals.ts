import type { instances } from "#db/schema.ts";
import { instanceRefusals } from "./rules.ts";

/** What may be done with an instance's row now: the rules, asked with what the row knows. */
export const refusalsOf = (row: typeof instances.$inferSelect, hasBackup: boolean) =>
  instanceRefusals({
    status: row.status,
    isProtected: row.isProtected,
    hasRun: row.answeredAt !== null && row.hostKey !== null,
    isKept: row.snapshotId !== null || hasBackup,
    isDropletGone: row.dropletGoneAt !== null,
    purgedAt: row.purgedAt,
  });
