"use client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { BackupList } from "#app/(dashboard)/_backups/backupList.tsx";
import { Chips, SearchBox } from "#app/(dashboard)/_instances/listFilters.tsx";
import { useInstances } from "#app/(dashboard)/_instances/useInstances.ts";
import { useOnEnded } from "#app/(dashboard)/_instances/useOnEnded.ts";
import { bytes } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Empty, Notice, Skeleton } from "#app/ui/notice.tsx";
import { Page } from "#app/ui/pageFrame.tsx";
import type { BackupView } from "#server/api/views.ts";

const dayMs = 86_400_000;

const isBad = ({ state, restoreTestFailure }: BackupView) =>
  state === "failed" || restoreTestFailure !== null;
const filters: readonly { value: string; label: string; fits: (backup: BackupView) => boolean }[] = [
  { value: "all", label: "All", fits: () => true },
  {
    value: "tested",
    label: "Restore tested",
    fits: (backup) => backup.restoreTestedAt !== null && !isBad(backup),
  },
  {
    value: "unproven",
    label: "Good, restore not tested",
    fits: (one) => one.state === "good" && one.restoreTestedAt === null,
  },
  { value: "bad", label: "Failed", fits: isBad },
];

/** Every backup of every instance. */
export default function BackupsPage() {
  const trpc = useTRPC();
  const { instances = [] } = useInstances();
  const query = useQuery(trpc.backups.list.queryOptions());
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState("all");
  // A backup is made, verified or test-restored by an operation.
  useOnEnded(query.refetch);
  const live = instances.filter((row) => row.status !== "destroyed");
  const fresh = live.filter((row) => Date.now() - (row.lastGoodBackupAt ?? 0) < dayMs).length;
  const stale = live.filter((row) => row.backupWarning !== null);
  const words = search.trim().toLowerCase();
  const all = query.data?.backups ?? [];
  const choices = filters.map(({ value, label, fits }) => ({ value, label, count: all.filter(fits).length }));
  const fits = filters.find(({ value }) => value === filter)?.fits ?? (() => true);
  const shown = all.filter(
    (backup) => fits(backup) && `${backup.company} ${backup.slug}`.toLowerCase().includes(words),
  );
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
        <div className="mt-6 mb-6 flex items-center gap-3 max-md:flex-wrap">
          <SearchBox value={search} onChange={setSearch} />
          <Chips legend="State" choices={choices} value={filter} onChange={setFilter} />
        </div>
      )}
      {query.isSuccess && all.length > 0 && shown.length === 0 && (
        <Empty title="No matches.">
          <Button
            onClick={() => {
              setSearch("");
              setFilter("all");
            }}
          >
            Clear search
          </Button>
        </Empty>
      )}
      {query.isSuccess && (shown.length > 0 || all.length === 0) && (
        <BackupList
          backups={shown}
          refusals={new Map(instances.map((row) => [row.id, row.refusals]))}
          named
        />
      )}
    </Page>
  );
}
