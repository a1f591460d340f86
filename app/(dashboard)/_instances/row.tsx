"use client";
import Link from "next/link";
import { type CSSProperties, memo } from "react";
import { lastAnswer } from "#app/applyEvent.ts";
import { useConnection, useHealthRound } from "#app/live.tsx";
import { aboutLeft, position, timeLeft } from "#app/progress/segments.ts";
import { Track } from "#app/progress/track.tsx";
import { StatusWord } from "#app/status.tsx";
import { money, monthlyCents, useNow } from "#app/time.ts";
import { Checkbox } from "#app/ui/checkbox.tsx";
import type { InstanceRow } from "#server/api/views.ts";
import { groupOf } from "#server/instances/listOrder.ts";
import { RowAction } from "./rowAction.tsx";
import { type RowText, rowText } from "./rowText.ts";
import { useMachineNames } from "./useMachineNames.ts";

/** The columns of the list from a tablet on; its head has the same. */
export const columns = "md:grid-cols-[16px_minmax(0,5fr)_minmax(0,7fr)_minmax(0,3fr)_72px] md:gap-x-7";

/** What is pointed at or chosen is marked a little beyond the lines. */
const beyond = { "--wide": "-12px 0 var(--hover), 12px 0 var(--hover)" } as CSSProperties;

type Props = {
  row: InstanceRow;
  selected: boolean;
  /** On a phone the checkboxes are there only while somebody selects. */
  selecting: boolean;
  onSelect: (rows: readonly InstanceRow[], on: boolean) => void;
};

/** One instance in the list: who, how it is, and what it costs. */
export const Row = memo(function Row({ row, selected, selecting, onSelect }: Props) {
  const nameOf = useMachineNames();
  const isOver = row.status === "destroyed";
  const href = isOver ? `/instances/${row.slug}?id=${row.id}` : `/instances/${row.slug}`;
  return (
    <div
      style={beyond}
      className={`relative grid min-h-13 items-center gap-y-1 border-b border-line py-1.5 hover:bg-hover hover:shadow-(--wide) max-md:gap-x-3 max-md:py-3 ${selecting ? "grid-cols-[auto_minmax(0,1fr)_auto]" : "grid-cols-[minmax(0,1fr)_auto]"} ${columns} ${selected ? "bg-hover shadow-(--wide)" : ""}`}
    >
      <div
        className={`relative z-10 size-4 max-md:self-start max-md:mt-0.5 ${selecting ? "" : "max-md:hidden"}`}
      >
        {!isOver && (
          <Checkbox
            aria-label={`Select ${row.company}`}
            checked={selected}
            onChange={(event) => onSelect([row], event.target.checked)}
          />
        )}
      </div>
      <div className="min-w-0">
        <Link
          href={href}
          className="block truncate font-medium after:absolute after:inset-0 max-md:text-step focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-move"
        >
          {row.company}
        </Link>
        <div className="truncate font-mono text-xs/5 text-ink-3">{row.url.replace(/^https?:\/\//, "")}</div>
      </div>
      <div
        className={`flex min-w-0 items-center gap-x-4 max-md:order-3 max-md:col-start-1 max-md:-col-end-1 ${selecting ? "max-md:pl-7" : ""}`}
      >
        <div
          className={`flex min-w-0 grow ${groupOf[row.status] === "well" || isOver ? "max-md:flex-wrap max-md:justify-between md:flex-col" : "flex-col"}`}
        >
          <StatusWord status={row.status} />
          <Doing row={row} />
        </div>
        <div className="relative z-10 shrink-0 max-md:self-end empty:hidden">
          <RowAction row={row} />
        </div>
      </div>
      <div className="truncate text-sm text-ink-2 max-md:hidden">{nameOf(row.size, row.region)}</div>
      <div className="text-right text-sm tabular-nums max-md:self-start">
        {monthlyCents(row) === 0 ? <span className="text-ink-3">$0.00</span> : money(row.priceMonthlyCents)}
      </div>
    </div>
  );
});

const tones: Record<RowText["tone"], string> = {
  quiet: "text-xs/5 text-ink-3 max-md:text-sm",
  plain: "text-sm text-ink-2",
  warning: "text-sm text-warn-ink",
};

function Doing({ row }: { row: InstanceRow }) {
  const connection = useConnection();
  const busy = groupOf[row.status] === "underWay" && row.operation !== null;
  const now = useNow(1000, !connection.live);
  const { operation } = row;
  const answeredAt = lastAnswer(row, useHealthRound());
  if (busy && operation !== null) {
    const left = timeLeft(operation.steps, now);
    return (
      <div className="w-full max-w-75 pb-1">
        <p className="mb-1.5 text-sm text-ink-2 tabular-nums">
          {position(operation.steps)}
          {left !== undefined && `, ${aboutLeft(left)}`}
        </p>
        <Track operation={operation} size="row" frozen={!connection.live} />
      </div>
    );
  }
  const { text, tone } = rowText(row, { answeredAt, now });
  return (
    <>
      {text !== "" && <p className={`tabular-nums ${tones[tone]}`}>{text}</p>}
      {row.backupWarning !== null && <p className="text-sm text-warn-ink">{row.backupWarning}</p>}
    </>
  );
}
