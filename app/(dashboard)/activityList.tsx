"use client";
import { useInfiniteQuery } from "@tanstack/react-query";
import Link from "next/link";
import { age, exact, useNow } from "../time.ts";
import { sentenceOf, useTRPC } from "../trpc.tsx";
import { Button } from "../ui/button.tsx";
import { Empty, Notice, Skeleton } from "../ui/notice.tsx";
import { manyRows, Rows } from "../ui/rows.tsx";

/** Who did what, newest first: everywhere, or with one instance. */
export function ActivityList({ instanceId }: { instanceId?: string }) {
  const trpc = useTRPC();
  const now = useNow(30_000);
  const query = useInfiniteQuery(
    trpc.activity.list.infiniteQueryOptions(instanceId === undefined ? {} : { instanceId }, {
      getNextPageParam: (page) => page.next ?? undefined,
      staleTime: 0,
    }),
  );
  if (query.isPending) return <Skeleton />;
  if (query.isError)
    return (
      <Notice tone="bad" alert>
        {sentenceOf(query.error)}
      </Notice>
    );
  const entries = query.data.pages.flatMap((page) => page.entries);
  if (entries.length === 0) return <Empty title="Nothing has happened yet." />;
  return (
    <>
      <div className="mt-6">
        <Rows
          items={entries}
          keyOf={(entry) => String(entry.id)}
          estimate={45}
          virtual={entries.length > manyRows}
        >
          {(entry) => (
            <div className="flex flex-wrap justify-between gap-x-6 border-b border-line py-3">
              <span className="min-w-0">
                <span className="font-medium">{entry.who}</span> {entry.what}
                {entry.slug !== null && instanceId === undefined && (
                  <>
                    {" · "}
                    <Link
                      href={`/instances/${entry.slug}`}
                      className="underline decoration-line-2 underline-offset-4"
                    >
                      {entry.slug}
                    </Link>
                  </>
                )}
              </span>
              <time
                dateTime={new Date(entry.at).toISOString()}
                title={exact(entry.at)}
                className="text-sm text-ink-3 tabular-nums"
              >
                {age(entry.at, now)}
              </time>
            </div>
          )}
        </Rows>
      </div>
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
