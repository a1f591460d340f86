import { groupOf } from "#app/status.tsx";
import type { InstanceRow } from "#server/api/views.ts";

/** What the list adds up to, in a sentence. */
export function Sum({ rows }: { rows: InstanceRow[] }) {
  const count = (group: string) => rows.filter((row) => groupOf[row.status] === group).length;
  const [needs, underWay, well] = [count("needs"), count("underWay"), count("well")];
  const parts = [underWay > 0 && `${underWay} in progress`, well > 0 && `${well} healthy`].filter(Boolean);
  if (rows.length === 0) return <p className="mt-1 text-ink-2">No active instances.</p>;
  return (
    <p className="mt-1 text-ink-2">
      {needs > 0 && (
        <strong className="font-semibold text-ink">
          {needs === 1 ? "1 needs attention" : `${needs} need attention`}
        </strong>
      )}
      {needs > 0 && parts.length > 0 && ", "}
      {parts.join(", ")}.
    </p>
  );
}
