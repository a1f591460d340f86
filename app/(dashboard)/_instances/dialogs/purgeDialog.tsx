"use client";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { removedForGood } from "#app/(dashboard)/_instances/removedForGood.ts";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { TextField } from "#app/ui/field.tsx";
import type { InstanceDetail } from "#server/api/views.ts";

/** The last of it: after this there is no way back, so the slug is typed once more. */
export function PurgeDialog({ instance, onClose }: { instance: InstanceDetail; onClose: () => void }) {
  const trpc = useTRPC();
  const [confirm, setConfirm] = useState("");
  const fits = confirm === instance.slug;
  const begun = useStartedOperation(instance, onClose);
  const purge = useMutation(trpc.instances.purge.mutationOptions({ onSuccess: begun }));
  return (
    <Dialog
      open
      danger
      onOpenChange={onClose}
      title={`Remove ${instance.company} for good?`}
      description={`${removedForGood(instance.snapshots.length, instance.backups.count)} Its history stays on this page. This can't be undone.`}
    >
      <form className="mt-5 grid gap-5" onSubmit={(event) => event.preventDefault()}>
        <TextField
          id="confirm"
          label={`Type ${instance.slug} to confirm`}
          mono
          autoFocus
          autoComplete="off"
          autoCapitalize="off"
          value={confirm}
          error={purge.isError ? sentenceOf(purge.error) : undefined}
          onChange={(event) => setConfirm(event.target.value)}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            look={fits ? "danger" : "danger-line"}
            sending={purge.isPending}
            reason={fits ? null : `Type ${instance.slug} first.`}
            onClick={() => purge.mutate({ instanceId: instance.id, confirm })}
          >
            Remove for good
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
