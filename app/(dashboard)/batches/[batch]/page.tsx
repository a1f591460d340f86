"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useParams } from "next/navigation";
import { applyToBatch } from "#app/applyEvent.ts";
import { useChanges, useConnection } from "#app/live.tsx";
import { aboutLeft, position, timeLeft } from "#app/progress/segments.ts";
import { Track } from "#app/progress/track.tsx";
import { StatusWord } from "#app/status.tsx";
import { duration, useNow } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";
import { Page } from "#app/ui/pageFrame.tsx";
import type { InstanceRow } from "#server/api/views.ts";

/** What one click began with many instances, side by side. */
export default function TogetherPage() {
  const { batch } = useParams<{ batch: string }>();
  const trpc = useTRPC();
  const changes = useChanges();
  const query = useQuery(trpc.instances.batch.queryOptions({ batchId: batch }, { retry: false }));
  const rows = (query.data === undefined ? [] : applyToBatch(query.data, changes, batch)).sort((a, b) =>
    a.company.localeCompare(b.company),
  );
  const count = (state: string) => rows.filter((row) => row.operation?.state === state).length;
  const label = rows[0]?.operation?.label ?? "";
  const failed = count("failed");
  return (
    <Page
      title={
        rows.length === 0
          ? "Batch"
          : `${label} ${rows.length} ${rows.length === 1 ? "instance" : "instances"}`
      }
      back={{ href: "/", label: "Instances" }}
      lead={
        rows.length === 0 ? undefined : (
          <span role="status">
            {count("done")} of {rows.length} done
            {failed > 0 && <strong className="font-semibold text-bad-ink">, {failed} failed</strong>}.
          </span>
        )
      }
    >
      {query.isPending && <Skeleton />}
      {query.isError && (
        <div className="mt-6">
          <Notice tone="bad" alert>
            {sentenceOf(query.error)}
          </Notice>
        </div>
      )}
      {rows.length > 0 && (
        <ul className="mt-6 border-t border-line">
          {rows.map((row) => (
            <Line key={row.id} row={row} />
          ))}
        </ul>
      )}
    </Page>
  );
}

function Line({ row }: { row: InstanceRow }) {
  const connection = useConnection();
  const { operation } = row;
  const runs = operation?.state === "running" || operation?.state === "cancelling";
  const now = useNow(1000, !runs || !connection.live);
  if (operation === null) return null;
  const left = runs ? timeLeft(operation.steps, now) : undefined;
  const words = runs
    ? `${position(operation.steps)}${left === undefined ? "" : `, ${aboutLeft(left)}`}`
    : operation.state === "failed"
      ? (operation.failure?.userMessage ?? "Failed.")
      : `${operation.state} in ${duration((operation.endedAt ?? now) - operation.createdAt)}`;
  return (
    <li className="relative grid items-center gap-x-6 gap-y-1 border-b border-line py-3 hover:bg-hover md:grid-cols-[minmax(0,4fr)_minmax(0,2fr)_minmax(0,6fr)] md:px-2">
      <Link
        href={`/instances/${row.slug}?id=${row.id}&operation=${operation.id}`}
        className="truncate font-medium after:absolute after:inset-0"
      >
        {row.company}
      </Link>
      <StatusWord status={row.status} />
      <div>
        <p className="text-sm text-ink-2 tabular-nums">{words}</p>
        {runs && (
          <div className="mt-1.5">
            <Track operation={operation} size="row" frozen={!connection.live} />
          </div>
        )}
      </div>
    </li>
  );
}
