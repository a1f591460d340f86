"use client";
import { useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { useEffect, useState } from "react";
import { bytes } from "../../time.ts";
import { sentenceOf, useTRPC } from "../../trpc.tsx";
import { Notice, Skeleton } from "../../ui/notice.tsx";
import { Page } from "../../ui/pageFrame.tsx";
import { BackupList } from "../backupList.tsx";
import { useInstances } from "../useInstances.ts";

const dayMs = 86_400_000;

/** Every backup of every instance. */
export default function BackupsPage() {
  const trpc = useTRPC();
  const { instances = [] } = useInstances();
  const query = useQuery(trpc.backups.list.queryOptions());
  const [search, setSearch] = useState("");
  // A backup is made, verified or proved by an operation: what has come to its end is read again.
  const mark = instances.map((row) => `${row.operation?.id} ${row.operation?.state}`).join();
  const { refetch } = query;
  useEffect(() => {
    if (mark !== "") void refetch();
  }, [mark, refetch]);
  const live = instances.filter((row) => row.status !== "destroyed");
  const fresh = live.filter((row) => Date.now() - (row.lastGoodBackupAt ?? 0) < dayMs).length;
  const stale = live.filter((row) => row.backupWarning !== null);
  const words = search.trim().toLowerCase();
  const all = query.data?.backups ?? [];
  const shown = all.filter((backup) => `${backup.company} ${backup.slug}`.toLowerCase().includes(words));
  const sum = all.reduce((total, backup) => total + (backup.bytes ?? 0), 0);
  return (
    <Page
      title="Backups"
      lead={
        live.length === 0 ? undefined : (
          <>
            <strong className="font-semibold text-ink">
              {fresh} of {live.length}
            </strong>{" "}
            {live.length === 1 ? "instance has" : "instances have"} a good backup from the last day.
            {all.length > 0 && ` ${all.length === 1 ? "1 backup" : `${all.length} backups`}, ${bytes(sum)}.`}
            {stale.map((row) => (
              <span key={row.id} className="block text-warn-ink">
                {row.company}: {row.backupWarning}
              </span>
            ))}
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
      {all.length > 0 && (
        <label className="relative mt-6 mb-6 block w-full sm:w-60">
          <span className="sr-only">Search</span>
          <Search
            size={15}
            strokeWidth={1.9}
            className="absolute left-3 top-1/2 -translate-y-1/2 text-ink-3"
            aria-hidden
          />
          <input
            type="search"
            placeholder="Search"
            value={search}
            onChange={(event) => setSearch(event.target.value)}
            className="touch h-8 w-full rounded-[6px] border border-field bg-raised pr-3 pl-9 max-md:text-[16px]"
          />
        </label>
      )}
      {query.isSuccess && (
        <BackupList
          backups={shown}
          refusals={new Map(instances.map((row) => [row.id, row.refusals]))}
          named
        />
      )}
    </Page>
  );
}
