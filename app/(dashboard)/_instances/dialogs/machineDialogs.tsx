"use client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { newerVersions } from "#app/(dashboard)/_instances/newerVersions.ts";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { money } from "#app/time.ts";
import { sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { SelectField } from "#app/ui/field.tsx";
import type { InstanceDetail } from "#server/api/views.ts";

type Props = { instance: InstanceDetail; onClose: () => void };

/** Another size, and what it costs instead. */
export function ResizeDialog({ instance, onClose }: Props) {
  const trpc = useTRPC();
  const begun = useStartedOperation(instance, onClose);
  const options = useQuery(trpc.instances.options.queryOptions());
  const [size, setSize] = useState(instance.size);
  const resize = useMutation(trpc.instances.resize.mutationOptions({ onSuccess: begun }));
  const chosen = options.data?.sizes.find((one) => one.slug === size);
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Resize ${instance.company}?`}
      description="It's offline for a minute or two. Memory and CPUs change, but the disk doesn't, so you can size it down again later."
    >
      <div className="mt-5 grid gap-4">
        <SelectField
          id="size"
          label="Size"
          value={size}
          hint={chosen === undefined ? undefined : `${chosen.memoryMb / 1024} GB memory, ${chosen.vcpus} CPU`}
          onChange={(event) => setSize(event.target.value)}
        >
          {options.data?.sizes
            .filter((one) => one.regions.includes(instance.region))
            .map((one) => (
              <option key={one.slug} value={one.slug}>
                {one.name}, {money(one.priceMonthlyCents)} a month
              </option>
            ))}
        </SelectField>
        {chosen !== undefined && chosen.slug !== instance.size && (
          <p className="flex items-baseline justify-between font-medium">
            New monthly cost
            <span className="tabular-nums">
              <s className="mr-2 font-normal text-ink-3">{money(instance.priceMonthlyCents)}</s>
              {money(chosen.priceMonthlyCents)}
            </span>
          </p>
        )}
        <Problem error={resize.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            look="primary"
            sending={resize.isPending}
            reason={size === instance.size ? "Choose a different size first." : null}
            onClick={() => resize.mutate({ instanceId: instance.id, size })}
          >
            Resize
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

/** A newer version of the software, with a way back. */
export function UpgradeDialog({ instance, onClose }: Props) {
  const trpc = useTRPC();
  const begun = useStartedOperation(instance, onClose);
  const options = useQuery(trpc.instances.options.queryOptions());
  const newer = newerVersions(options.data?.versions ?? [], instance.version);
  const [typed, setTyped] = useState<string>();
  const version = typed ?? newer[0];
  const upgrade = useMutation(trpc.instances.upgrade.mutationOptions({ onSuccess: begun }));
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Upgrade ${instance.company}?`}
      description={`It's on version ${instance.version}. We stop the intranet and back it up first. If the new version doesn't answer, we restore this version and its data automatically.`}
    >
      <div className="mt-5 grid gap-4">
        <SelectField
          id="version"
          label="Version"
          value={version}
          onChange={(event) => setTyped(event.target.value)}
        >
          {newer.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </SelectField>
        <Problem error={upgrade.error} />
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button
            look="primary"
            sending={upgrade.isPending}
            reason={version === undefined ? "It's already on the latest version." : null}
            onClick={() => version !== undefined && upgrade.mutate({ instanceId: instance.id, version })}
          >
            Upgrade
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function Problem({ error }: { error: unknown }) {
  if (error === null) return null;
  return (
    <p role="alert" className="text-sm text-bad-ink">
      {sentenceOf(error)}
    </p>
  );
}
