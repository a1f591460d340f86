"use client";
import { Notice } from "#app/ui/notice.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { BackupList } from "./backupList.tsx";
import { PlanForm } from "./planForm.tsx";

/** The backups of one instance, and when they are made. */
export function InstanceBackups({ instance }: { instance: InstanceDetail }) {
  return (
    <div className="px-4 py-7 md:px-10">
      {instance.backupWarning !== null && (
        <div className="mb-6">
          <Notice tone="warn">{instance.backupWarning}</Notice>
        </div>
      )}
      <BackupList backups={instance.backups} refusals={instance.refusals} />
      {instance.status !== "destroyed" && <PlanForm key={instance.id} instance={instance} />}
    </div>
  );
}
