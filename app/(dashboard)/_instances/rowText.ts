import { age } from "#app/time.ts";
import type { InstanceRow } from "#server/api/views.ts";
import { groupOf } from "#server/instances/listOrder.ts";

/** `quiet`: nobody needs to act. `warning`: the instance is well, but what was last done with it failed. */
export type RowText = { text: string; tone: "quiet" | "plain" | "warning" };

type Row = Pick<InstanceRow, "status" | "silentSince" | "destroyedAt"> & {
  operation: Pick<NonNullable<InstanceRow["operation"]>, "state" | "label" | "failure"> | null;
};

/** What the list says under an instance's status while nothing is being done with it. */
export function rowText(row: Row, { answeredAt, now }: { answeredAt: number | null; now: number }): RowText {
  const { status, operation } = row;
  const why = operation?.failure?.userMessage ?? "";
  if (status === "failed") return { text: why, tone: "plain" };
  if (operation?.state === "failed" && status !== "destroyed") {
    const text = `${operation.label} failed. ${why}`.trim();
    return { text, tone: groupOf[status] === "well" ? "warning" : "plain" };
  }
  if (status === "unreachable" && row.silentSince !== null) {
    const since = new Date(row.silentSince).toLocaleTimeString("en-GB", { timeStyle: "short" });
    return { text: `No answer since ${since}.`, tone: "plain" };
  }
  const tone = groupOf[status] === "needs" ? "plain" : "quiet";
  if (status === "running" && answeredAt !== null) return { text: `Answered ${age(answeredAt, now)}`, tone };
  return { text: row.destroyedAt === null ? "" : age(row.destroyedAt, now), tone };
}
