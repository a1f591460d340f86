"use client";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useState } from "react";
import { BackupList } from "#app/(dashboard)/_backups/backupList.tsx";
import { type BackupFilter, useBackups } from "#app/(dashboard)/_backups/useBackups.ts";
import { Chips, NoMatches, SearchBox } from "#app/(dashboard)/_instances/listFilters.tsx";
import { useOnEnded } from "#app/(dashboard)/_instances/useOnEnded.ts";
import { bytes } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";
import { Page } from "#app/ui/pageFrame.tsx";

const filters: readonly { value: BackupFilter; label: string }[] = [
  { value: "all", label: "All" },
  { value: "tested", label: "Restore tested" },
  { value: "untested", label: "Good, restore not tested" },
  { value: "bad", label: "Failed" },
];

/** Every backup of every instance. */
export default function BackupsPage() {
  const trpc = useTRPC();
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState<BackupFilter>("all");
  const { query, backups, more } = useBackups({ search, filter });
  const summary = useQuery(trpc.backups.summary.queryOptions());
  // A backup is made, verified or test-restored by an operation.
  const refetch = { list: query.refetch, summary: summary.refetch };
  useOnEnded(
    useCallback(() => {
      void refetch.list();
      void refetch.summary();
    }, [refetch.list, refetch.summary]),
  );
  const { live = 0, fresh = 0, stale = [], staleCount = 0, all = 0, bytes: sum = 0 } = summary.data ?? {};
  const choices = filters.map((choice) => ({ ...choice, count: summary.data?.[choice.value] ?? 0 }));
  return (
    <Page
      title="Backups"
      lead={
        live === 0 ? undefined : (
          <>
            <strong className="font-semibold text-ink">
              {fresh} of {live}
            </strong>{" "}
            {live === 1 ? "instance has" : "instances have"} a good backup from the last day.
            {all > 0 && ` ${all === 1 ? "1 backup" : `${all} backups`}, ${bytes(sum)}.`}
            {stale.map((row) => (
              <span key={row.id} className="block text-warn-ink">
                {row.company}: {row.backupWarning}
              </span>
            ))}
            {staleCount > stale.length && (
              <span className="block text-warn-ink">and {staleCount - stale.length} more</span>
            )}
          </>
        )
      }
    >
      {query.isPending && <Skeleton />}
      {query.isError && (
        <Notice tone="bad" alert>
          {sentenceOf(query.error)}
        </Notice>
      )}
      {all > 0 && (
        <div className="mt-6 mb-6 flex items-center gap-3 max-md:flex-wrap">
          <SearchBox value={search} onChange={setSearch} />
          <Chips legend="State" choices={choices} value={filter} onChange={setFilter} />
        </div>
      )}
      {query.isSuccess && all > 0 && backups.length === 0 && (
        <NoMatches
          search={search}
          onShowAll={() => {
            setSearch("");
            setFilter("all");
          }}
        />
      )}
      {query.isSuccess && summary.isSuccess && (backups.length > 0 || all === 0) && (
        <BackupList backups={backups} named />
      )}
      <div ref={more} />
    </Page>
  );
}
