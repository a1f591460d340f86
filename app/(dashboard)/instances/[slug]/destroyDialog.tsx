"use client";
import { useMutation } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useRouter } from "next/navigation";
import { useState } from "react";
import type { InstanceDetail } from "../../../../server/views.ts";
import { money } from "../../../time.ts";
import { sentenceOf, useTRPC } from "../../../trpc.tsx";
import { Button } from "../../../ui/button.tsx";
import { Dialog } from "../../../ui/dialog.tsx";
import { TextField } from "../../../ui/field.tsx";

/** What goes, what is kept and what it costs; wants the slug typed. */
export function DestroyDialog({ instance, onClose }: { instance: InstanceDetail; onClose: () => void }) {
  const trpc = useTRPC();
  const router = useRouter();
  const [confirm, setConfirm] = useState("");
  const fits = confirm === instance.slug;
  const destroy = useMutation(
    trpc.instances.destroy.mutationOptions({
      onSuccess: ({ operationId }) => {
        onClose();
        router.push(`/instances/${instance.slug}?operation=${operationId}`);
      },
    }),
  );
  const row = "flex justify-between gap-6 border-b border-line py-2.5 text-sm";
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Destroy ${instance.company}?`}
      description={
        instance.dropletId === null
          ? "It never came to life: there is no droplet, and nothing to keep."
          : "It goes offline. A snapshot is taken first, and only when it is complete anything else goes."
      }
    >
      <dl className="mt-4">
        <div className={row}>
          <dt className="text-ink-2">Goes</dt>
          <dd>
            the droplet, the address, <s className="text-ink-3">{money(instance.priceMonthlyCents)}</s> a
            month
          </dd>
        </div>
        {instance.dropletId !== null && (
          <div className={row}>
            <dt className="text-ink-2">Is kept</dt>
            <dd className="text-right">
              a snapshot with all data, until you delete it: $0.06 a month for each GB
            </dd>
          </div>
        )}
        <div className={row}>
          <dt className="text-ink-2">Stays here</dt>
          <dd>its history and what it was made of</dd>
        </div>
      </dl>
      <form
        className="mt-5 grid gap-5"
        // Enter in the field must not destroy anything.
        onSubmit={(event) => event.preventDefault()}
      >
        <TextField
          id="confirm"
          label={`Type ${instance.slug} to confirm`}
          mono
          autoFocus
          autoComplete="off"
          autoCapitalize="off"
          value={confirm}
          error={destroy.isError ? sentenceOf(destroy.error) : undefined}
          onChange={(event) => setConfirm(event.target.value)}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Keep it</Button>
          <Button
            look={fits ? "danger" : "danger-line"}
            sending={destroy.isPending}
            reason={fits ? null : `Type ${instance.slug} first.`}
            onClick={() => destroy.mutate({ instanceId: instance.id, confirm })}
          >
            <Trash2 size={15} strokeWidth={1.9} aria-hidden />
            Destroy instance
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
