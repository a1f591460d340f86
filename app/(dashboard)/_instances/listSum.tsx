import type { StatusSum } from "#server/api/views.ts";
import { isIn, isLive, total } from "./useSummary.ts";

/** What the list adds up to, in a sentence. */
export function Sum({ sums }: { sums: readonly StatusSum[] }) {
  const [needs = 0, underWay = 0, well = 0] = (["needs", "underWay", "well"] as const).map(
    (group) => total(sums, isIn(group)).count,
  );
  const parts = [underWay > 0 && `${underWay} in progress`, well > 0 && `${well} healthy`].filter(Boolean);
  if (total(sums, isLive).count === 0) return <p className="mt-1 text-ink-2">No active instances.</p>;
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
