"use client";
import { sentenceOf } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { BackupList } from "./backupList.tsx";
import { PlanForm } from "./planForm.tsx";
import { useBackups } from "./useBackups.ts";

/** The backups of one instance, and when they are made. */
export function InstanceBackups({ instance }: { instance: InstanceDetail }) {
  const { query, backups } = useBackups({ instanceId: instance.id });
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
      {query.isSuccess && <BackupList backups={backups} refusals={instance.refusals} />}
      {query.hasNextPage && (
        <div className="mt-4">
          <Button sending={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Show more
          </Button>
        </div>
      )}
      {instance.status !== "destroyed" && <PlanForm key={instance.id} instance={instance} />}
    </div>
  );
}
