"use client";
import { useMutation } from "@tanstack/react-query";
import { Archive, Camera, ShieldCheck, Trash2, X } from "lucide-react";
import type { ReactNode } from "react";
import { useState } from "react";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { bytes, day, money, monthlyCents, roughly, snapshotCents } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { TextField } from "#app/ui/field.tsx";
import type { InstanceDetail } from "#server/api/views.ts";

/** What goes, what is kept, how long and for how much; wants the slug typed. */
export function DestroyDialog({ instance, onClose }: { instance: InstanceDetail; onClose: () => void }) {
  const trpc = useTRPC();
  const [confirm, setConfirm] = useState("");
  const fits = confirm === instance.slug;
  const begun = useStartedOperation(instance, onClose);
  const destroy = useMutation(trpc.instances.destroy.mutationOptions({ onSuccess: begun }));
  const keptDays = instance.keepDestroyedDays;
  const isGone = instance.dropletGoneAt !== null;
  const stood = instance.dropletId !== null && !isGone;
  const monthly = monthlyCents(instance);
  const until = day(Date.now() + keptDays * 86_400_000);
  const newest = instance.snapshots[0];
  const { good, goodBytes } = instance.backups;
  const after = newest === undefined ? undefined : snapshotCents(newest.sizeGb);
  return (
    <Dialog
      open
      danger
      onOpenChange={onClose}
      title={`Destroy ${instance.company}?`}
      description={
        stood ? (
          <>
            {instance.status !== "off" && "It goes offline when the snapshot starts. "}Until{" "}
            <strong className="text-ink">{until}</strong> you can bring it back with its variables and data,
            at the same address if that's still free.
          </>
        ) : (
          <>
            {isGone
              ? "Its droplet was deleted at DigitalOcean, so we can't take a snapshot."
              : "It never started, so there's no droplet to take a snapshot of."}
            {good > 0 && " You can bring it back from its newest backup."}
          </>
        )
      }
    >
      <dl className="mt-4 border-t border-line">
        {stood && (
          <Line tone="bad" icon={<X size={15} aria-hidden />} name="Deleted" cost={`– ${money(monthly)}`}>
            The droplet
          </Line>
        )}
        <Line tone="bad" icon={<X size={15} aria-hidden />} name="Deleted">
          The address {instance.slug}.{instance.domain}
        </Line>
        {stood && (
          <Line
            tone="ok"
            icon={<Camera size={15} aria-hidden />}
            name={`Kept ${keptDays} days`}
            cost={after === undefined ? "$0.06 per GB" : roughly(after)}
          >
            A full snapshot
          </Line>
        )}
        {good > 0 && (
          <Line tone="ok" icon={<Archive size={15} aria-hidden />} name={`Kept ${keptDays} days`}>
            {good === 1 ? "1 backup" : `${good} backups`}, {bytes(goodBytes)}
          </Line>
        )}
      </dl>
      <p className="flex items-baseline justify-between py-2.5 font-medium">
        New monthly cost
        <span className="tabular-nums">
          {stood && <s className="mr-2 font-normal text-ink-3">{money(monthly)}</s>}
          {stood ? (after === undefined ? "$0.06 per GB" : roughly(after)) : money(0)}
        </span>
      </p>
      {stood && (
        <p className="flex gap-2 text-sm text-ink-2">
          <ShieldCheck size={16} strokeWidth={1.9} className="shrink-0 text-ok-ink" aria-hidden />
          The snapshot comes first. If it can't be completed, nothing is destroyed.
        </p>
      )}
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
          <Button onClick={onClose}>Cancel</Button>
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

function Line(props: {
  tone: "bad" | "ok";
  icon: ReactNode;
  name: string;
  cost?: string;
  children: ReactNode;
}) {
  return (
    <div className="grid grid-cols-[124px_1fr_auto] items-start gap-3 border-b border-line py-2 text-sm">
      <dt className={`flex items-center gap-2 ${props.tone === "bad" ? "text-bad-ink" : "text-ok-ink"}`}>
        {props.icon}
        {props.name}
      </dt>
      <dd className="min-w-0 break-words">{props.children}</dd>
      <dd className="text-right text-ink-2 tabular-nums">{props.cost}</dd>
    </div>
  );
}
