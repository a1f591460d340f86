"use client";
import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { applyToPages } from "#app/applyEvent.ts";
import { useChanges } from "#app/live.tsx";
import { useTRPC } from "#app/trpc.tsx";
import type { InstanceStatus } from "#server/api/views.ts";
import { useSummary } from "./useSummary.ts";

/** The pages of the list that have been loaded, live, and what all that the search finds adds up to. */
export function useList(search: string, status: InstanceStatus | undefined) {
  const trpc = useTRPC();
  const changes = useChanges();
  const query = useInfiniteQuery(
    trpc.instances.list.infiniteQueryOptions(
      { search, ...(status === undefined ? {} : { status }) },
      { getNextPageParam: (page) => page.next ?? undefined, placeholderData: keepPreviousData },
    ),
  );
  const pages = query.data?.pages;
  const rows = useMemo(
    () => (pages === undefined ? undefined : applyToPages(pages, changes)),
    [pages, changes],
  );
  const summary = useSummary();
  const isSearch = search.trim() !== "";
  const found = useQuery(
    trpc.instances.found.queryOptions({ search }, { enabled: isSearch, placeholderData: keepPreviousData }),
  );
  const upTo = pages?.at(-1)?.next ?? undefined;
  return { rows, upTo, query, found: (isSearch ? found.data?.sums : summary?.sums) ?? [] };
}
