"use client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { exact, money } from "#app/time.ts";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { TextField } from "#app/ui/field.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { slugProblem } from "#server/instances/rules.ts";

/** Where it comes back, from when its data is, and what it costs again; asks for another slug when its own is taken. */
export function BringBackDialog({ instance, onClose }: { instance: InstanceDetail; onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useStartedOperation(instance, onClose);
  const [typed, setTyped] = useState<string>();
  const back = useMutation(trpc.instances.bringBack.mutationOptions({ onSuccess: begun }));
  const own = useQuery(
    trpc.instances.checkSlug.queryOptions({ slug: instance.slug, domain: instance.domain }, { staleTime: 0 }),
  );
  const isTaken = own.data?.free === false || fieldErrors(back.error).slug !== undefined;
  const slug = typed ?? own.data?.suggestion ?? "";
  const error = fieldErrors(back.error).slug ?? (typed === undefined ? undefined : slugProblem(slug));
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Bring ${instance.company} back?`}
      description={
        <>
          {source(instance)}, with the same variables and data. It costs{" "}
          <strong className="text-ink">{money(instance.priceMonthlyCents)} a month</strong> again, from today.
        </>
      }
    >
      <form
        className="mt-5 grid gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (!back.isPending) back.mutate({ instanceId: instance.id, ...(isTaken ? { slug } : {}) });
        }}
      >
        {isTaken && (
          <TextField
            id="slug"
            label="Slug"
            mono
            autoFocus
            autoComplete="off"
            value={slug}
            error={error}
            hint={`${instance.slug}.${instance.domain} is taken now. Choose another slug.`}
            onChange={(event) => {
              back.reset();
              setTyped(event.target.value);
            }}
          />
        )}
        {back.isError && error === undefined && (
          <p role="alert" className="text-sm text-bad-ink">
            {sentenceOf(back.error)}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" sending={back.isPending}>
            Bring back
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Of a droplet that vanished there is no snapshot, and a backup is what is left. */
function source({ bringsBack }: InstanceDetail): string {
  if (bringsBack === null) return "We create a droplet";
  return bringsBack.from === "snapshot"
    ? `We create a droplet from the snapshot of ${exact(bringsBack.at)}`
    : `We provision a new droplet and restore the backup of ${exact(bringsBack.at)}`;
}
