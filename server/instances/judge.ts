import type { instances } from "../../db/schema.ts";
import { instanceRefusals } from "./rules.ts";

/** What may be done with an instance's row now: the rules, asked with what the row knows. */
export const refusalsOf = (row: typeof instances.$inferSelect) =>
  instanceRefusals({
    status: row.status,
    isProtected: row.isProtected,
    hasRun: row.answeredAt !== null && row.hostKey !== null,
    hasSnapshot: row.snapshotId !== null,
    purgedAt: row.purgedAt,
  });
