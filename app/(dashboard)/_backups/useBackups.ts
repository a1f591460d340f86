"use client";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { type RefCallback, useMemo } from "react";
import { useTRPC } from "#app/trpc.tsx";
import { useReached } from "#app/ui/useReached.ts";

export type BackupFilter = "all" | "tested" | "untested" | "bad";

/** Backups, newest first, page by page: `more` marks the place near which the next one is read. */
export function useBackups(wanted: { instanceId?: string; search?: string; filter?: BackupFilter }) {
  const trpc = useTRPC();
  const query = useInfiniteQuery(
    trpc.backups.list.infiniteQueryOptions(wanted, {
      getNextPageParam: (page) => page.next ?? undefined,
      placeholderData: keepPreviousData,
    }),
  );
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const backups = useMemo(() => data?.pages.flatMap((page) => page.backups) ?? [], [data]);
  const more: RefCallback<HTMLElement> = useReached(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, backups.length);
  return { query, backups, more };
}
