"use client";
import { useQuery } from "@tanstack/react-query";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { BackupList } from "./backupList.tsx";
import { PlanForm } from "./planForm.tsx";

/** The backups of one instance, and when they are made. */
export function InstanceBackups({ instance }: { instance: InstanceDetail }) {
  const trpc = useTRPC();
  const query = useQuery(trpc.backups.list.queryOptions({ instanceId: instance.id }));
  return (
    <div className="px-4 py-7 md:px-10">
      {instance.backupWarning !== null && (
        <div className="mb-6">
          <Notice tone="warn">{instance.backupWarning}</Notice>
        </div>
      )}
      {query.isPending && <Skeleton />}
      {query.isError && (
        <Notice tone="bad" alert>
          {sentenceOf(query.error)}
        </Notice>
      )}
      {query.isSuccess && <BackupList backups={query.data.backups} refusals={instance.refusals} />}
      {instance.status !== "destroyed" && <PlanForm key={instance.id} instance={instance} />}
    </div>
  );
}
