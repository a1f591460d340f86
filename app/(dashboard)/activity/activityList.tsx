"use client";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import type { inferRouterOutputs } from "@trpc/server";
import { CircleSlash, OctagonAlert, RefreshCw } from "lucide-react";
import Link from "next/link";
import { useOnEnded } from "#app/(dashboard)/_instances/useOnEnded.ts";
import { Fork } from "#app/mark.tsx";
import { duration, exact } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Days } from "#app/ui/days.tsx";
import { Initial } from "#app/ui/initial.tsx";
import { Empty, Notice, Skeleton } from "#app/ui/notice.tsx";
import type { AppRouter } from "#server/api/router.ts";
import { spawnerItself } from "#server/api/views.ts";

type Entry = inferRouterOutputs<AppRouter>["activity"]["list"]["entries"][number];

/** Who did what and what came of it, by day, newest first: everywhere, or with one instance. */
export function ActivityList({ instanceId, search = "" }: { instanceId?: string; search?: string }) {
  const trpc = useTRPC();
  const query = useInfiniteQuery(
    trpc.activity.list.infiniteQueryOptions(
      { search, ...(instanceId === undefined ? {} : { instanceId }) },
      {
        getNextPageParam: (page) => page.next ?? undefined,
        staleTime: 0,
        placeholderData: keepPreviousData,
      },
    ),
  );
  useOnEnded(query.refetch);
  if (query.isPending) return <Skeleton />;
  if (query.isError)
    return (
      <Notice tone="bad" alert>
        {sentenceOf(query.error)}
      </Notice>
    );
  const entries = query.data.pages.flatMap((page) => page.entries);
  if (entries.length === 0) return <Empty title={search === "" ? "No activity yet." : "No matches."} />;
  return (
    <>
      <Days items={entries} keyOf={(entry) => String(entry.id)} atOf={(entry) => entry.at} estimate={46}>
        {(entry) => <Line entry={entry} />}
      </Days>
      {query.hasNextPage && (
        <div className="mt-4">
          <Button sending={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
    </>
  );
}

function Line({ entry }: { entry: Entry }) {
  const { at, who, what, instance, operation } = entry;
  const query = instance === null ? "" : `id=${instance.id}`;
  const href = operation === null ? query : `${query}&operation=${operation.id}`;
  return (
    <div className="relative grid grid-cols-[auto_1fr_auto] items-center gap-x-4 border-b border-line py-2.5 hover:bg-hover md:grid-cols-[48px_150px_minmax(0,1fr)_auto] md:gap-x-5">
      <time
        dateTime={new Date(at).toISOString()}
        title={exact(at)}
        className="text-sm text-ink-3 tabular-nums max-md:order-2"
      >
        {new Date(at).toLocaleTimeString("en-GB", { timeStyle: "short" })}
      </time>
      <span className="flex min-w-0 items-center gap-2 max-md:order-3 max-md:text-sm max-md:text-ink-3">
        {who === spawnerItself ? (
          <span className="grid size-6 shrink-0 place-items-center rounded-full border border-line-2 max-md:hidden">
            <Fork width={16} />
          </span>
        ) : (
          <Initial name={who} className="max-md:hidden" />
        )}
        <span className="truncate">{who}</span>
      </span>
      <span className="min-w-0 text-ink-2 max-md:order-1 max-md:col-span-3">
        {instance === null ? (
          what
        ) : (
          <Link
            href={`/instances/${instance.slug}?${href}`}
            className="after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-move"
          >
            <Named text={what} name={instance.company} />
          </Link>
        )}
      </span>
      <span className="flex justify-end text-sm max-md:order-4">
        {operation !== null && <What operation={operation} />}
      </span>
    </div>
  );
}

/** The text, with the instance's name where it stands out. */
function Named({ text, name }: { text: string; name: string }) {
  const at = text.indexOf(name);
  if (at === -1) return text;
  return (
    <>
      {text.slice(0, at)}
      <strong className="font-medium text-ink">{name}</strong>
      {text.slice(at + name.length)}
    </>
  );
}

/** What came of it. */
function What({ operation }: { operation: NonNullable<Entry["operation"]> }) {
  const icon = { size: 15, strokeWidth: 1.9, "aria-hidden": true } as const;
  const { state, createdAt, endedAt } = operation;
  if (state === "running" || state === "cancelling")
    return (
      <span className="flex items-center gap-1.5 text-move-ink">
        <RefreshCw {...icon} /> in progress
      </span>
    );
  if (state === "failed")
    return (
      <span className="flex items-center gap-1.5 text-bad-ink">
        <OctagonAlert {...icon} /> failed
      </span>
    );
  if (state === "cancelled")
    return (
      <span className="flex items-center gap-1.5 text-ink-3">
        <CircleSlash {...icon} /> cancelled
      </span>
    );
  return <span className="text-ink-3 tabular-nums">{duration((endedAt ?? createdAt) - createdAt)}</span>;
}
