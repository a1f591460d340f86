import { and, eq, type SQL, sql } from "drizzle-orm";
import { type OperationKind, operations } from "#db/schema.ts";
import { kindsThat } from "#server/operations/registry.ts";

/** Kinds after which a failed operation can still be taken up: what it knows stays true. */
export const changeNothing = (): OperationKind[] =>
  kindsThat(({ changesNothing }) => changesNothing === true);

/**
 * True for a failed operation that Retry or Cancel may still take up: nothing has been done with its instance since,
 * but for what changes nothing, and that only where it is of another kind. See `obstacleTo`, which says it of one.
 */
export function canBeResumed(): SQL | undefined {
  const kinds = sql.join(
    changeNothing().map((kind) => sql`${kind}`),
    sql`, `,
  );
  return and(
    eq(operations.state, "failed"),
    sql`not exists (select 1 from operations later where later.instance_id = ${operations.instanceId}
      and later.mutating = ${operations.mutating} and later.sequence > ${operations.sequence}
      and (later.kind = ${operations.kind} or later.kind not in (${kinds})))`,
  );
}
