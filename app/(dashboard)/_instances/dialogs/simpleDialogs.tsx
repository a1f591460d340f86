"use client";
import { useMutation } from "@tanstack/react-query";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { exact } from "#app/time.ts";
import { useTRPC } from "#app/trpc.tsx";
import { Confirm } from "#app/ui/confirm.tsx";
import type { BackupView, InstanceDetail, OperationView } from "#server/api/views.ts";

export function CancelDialog(props: {
  instance: InstanceDetail;
  operation: OperationView;
  onClose: () => void;
}) {
  const { instance, operation, onClose } = props;
  const trpc = useTRPC();
  const cancel = useMutation(trpc.operations.cancel.mutationOptions({ onSuccess: onClose }));
  return (
    <Confirm
      title={`Cancel “${operation.label}” for ${instance.company}?`}
      description={operation.cancelling}
      confirm="Cancel"
      keep={operation.state === "failed" ? "Leave as is" : "Keep running"}
      danger
      sending={cancel.isPending}
      error={cancel.error}
      onConfirm={() => cancel.mutate({ operationId: operation.id })}
      onClose={onClose}
    />
  );
}

const powers = {
  restart: { label: "Restart", text: "It's offline for about 30 seconds. Its data isn't affected." },
  off: {
    label: "Power off",
    text: "Nobody can reach the intranet until you power it on again. The droplet costs the same while it's off.",
  },
  on: { label: "Power on", text: "Starts the droplet and the intranet." },
} as const;

export function PowerDialog(props: {
  instance: InstanceDetail;
  power: keyof typeof powers;
  onClose: () => void;
}) {
  const { instance, power, onClose } = props;
  const trpc = useTRPC();
  const begun = useStartedOperation(instance, onClose);
  const set = useMutation(trpc.instances.setPower.mutationOptions({ onSuccess: begun }));
  const { label, text } = powers[power];
  return (
    <Confirm
      title={`${label} ${instance.company}?`}
      description={text}
      confirm={label}
      sending={set.isPending}
      error={set.error}
      onConfirm={() => set.mutate({ instanceId: instance.id, power })}
      onClose={onClose}
    />
  );
}

export function RestoreDialog({ backup, onClose }: { backup: BackupView; onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useStartedOperation({ id: backup.instanceId, slug: backup.slug }, onClose);
  const restore = useMutation(trpc.backups.restore.mutationOptions({ onSuccess: begun }));
  return (
    <Confirm
      title={`Restore ${backup.company}?`}
      description={
        <>
          Its data goes back to {exact(backup.takenAt ?? backup.createdAt)}. We back up the current data
          first, so you can restore that as well. If the backup doesn't work, we put the current data back
          automatically.
        </>
      }
      confirm="Restore"
      sending={restore.isPending}
      error={restore.error}
      onConfirm={() => restore.mutate({ backupId: backup.id })}
      onClose={onClose}
    />
  );
}

export function TestRestoreDialog({ backup, onClose }: { backup: BackupView; onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useStartedOperation({ id: backup.instanceId, slug: backup.slug }, onClose);
  const testRestore = useMutation(trpc.backups.testRestore.mutationOptions({ onSuccess: begun }));
  return (
    <Confirm
      title={`Test restoring this backup of ${backup.company}?`}
      description="We restore it to a temporary droplet, check it, then delete the droplet. The droplet costs a cent or two. Your intranet isn't affected."
      confirm="Test restore"
      sending={testRestore.isPending}
      error={testRestore.error}
      onConfirm={() => testRestore.mutate({ instanceId: backup.instanceId, backupId: backup.id })}
      onClose={onClose}
    />
  );
}
