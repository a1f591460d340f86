"use client";
import Link from "next/link";
import { memo } from "react";
import type { InstanceRow } from "../../server/views.ts";
import { useLive } from "../live.tsx";
import { aboutLeft, position, timeLeft } from "../progress/stretches.ts";
import { Track } from "../progress/track.tsx";
import { groupOf, StatusWord } from "../status.tsx";
import { age, money, useNow } from "../time.ts";
import { useMachineNames } from "./useMachineNames.ts";

/** One instance in the list: who, how it is, and what it costs. */
export const Row = memo(function Row({ row }: { row: InstanceRow }) {
  const nameOf = useMachineNames();
  const href = row.status === "destroyed" ? `/instances/${row.slug}?id=${row.id}` : `/instances/${row.slug}`;
  return (
    <div className="relative grid grid-cols-[1fr_auto] items-center gap-x-6 gap-y-1 border-b border-line py-3 hover:bg-hover md:grid-cols-[minmax(0,5fr)_minmax(0,6fr)_minmax(0,3fr)_88px] md:px-2">
      <div className="min-w-0">
        <Link href={href} className="font-medium after:absolute after:inset-0">
          {row.company}
        </Link>
        <div className="truncate font-mono text-sm text-ink-3">{row.url.replace(/^https?:\/\//, "")}</div>
      </div>
      <div className="min-w-0 max-md:order-3 max-md:col-span-2">
        <StatusWord status={row.status} />
        <Doing row={row} />
      </div>
      <div className="truncate text-sm text-ink-2 max-md:hidden">{nameOf(row.size, row.region)}</div>
      <div className="text-right text-sm tabular-nums">
        {row.status === "destroyed" ? (
          <span className="text-ink-3">$0.00</span>
        ) : (
          money(row.priceMonthlyCents)
        )}
      </div>
    </div>
  );
});

function Doing({ row }: { row: InstanceRow }) {
  const { connection } = useLive();
  const busy = groupOf[row.status] === "underWay" && row.operation !== null;
  const now = useNow(1000, !connection.live);
  const { operation } = row;
  if (busy && operation !== null) {
    const left = timeLeft(operation.steps, now);
    return (
      <div className="max-w-75">
        <p className="mb-1.5 text-sm text-ink-2 tabular-nums">
          {position(operation.steps)}
          {left !== undefined && `, ${aboutLeft(left)}`}
        </p>
        <Track operation={operation} size="row" frozen={!connection.live} />
      </div>
    );
  }
  const text =
    row.status === "failed"
      ? (operation?.failure?.sentence ?? "")
      : row.status === "unreachable" && row.silentSince !== null
        ? `No answer since ${new Date(row.silentSince).toLocaleTimeString("en-GB", { timeStyle: "short" })}.`
        : row.status === "running" && row.answeredAt !== null
          ? `Answered ${age(row.answeredAt, now)} in ${row.answeredInMs ?? 0} ms`
          : row.destroyedAt !== null
            ? age(row.destroyedAt, now)
            : "";
  return <p className="text-sm text-ink-2 tabular-nums">{text}</p>;
}
