"use client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useStartedOperation } from "#app/(dashboard)/_instances/useStartedOperation.ts";
import { fieldErrors, sentenceOf, useTRPC } from "#app/trpc.tsx";
import { Address } from "#app/ui/address.tsx";
import { Button } from "#app/ui/button.tsx";
import { Dialog } from "#app/ui/dialog.tsx";
import { SelectField, TextField } from "#app/ui/field.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { domainProblem, slugProblem } from "#server/instances/rules.ts";

const times = [
  { days: 0, label: "Don't redirect" },
  { days: 7, label: "For a week" },
  { days: 30, label: "For 30 days" },
  { days: 90, label: "For 90 days" },
  { days: 365, label: "For a year" },
];

/** Where it moves to, and how long its address from before leads there. */
export function AddressDialog({ instance, onClose }: { instance: InstanceDetail; onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useStartedOperation(instance, onClose);
  const [slug, setSlug] = useState(instance.slug);
  const [domain, setDomain] = useState(instance.domain);
  const [redirectDays, setRedirectDays] = useState(30);
  const move = useMutation(trpc.instances.changeAddress.mutationOptions({ onSuccess: begun }));
  const options = useQuery(trpc.instances.options.queryOptions());
  const moved = slug !== instance.slug || domain !== instance.domain;
  const isSound = slugProblem(slug) === undefined && domainProblem(domain) === undefined;
  const check = useQuery(
    trpc.instances.checkSlug.queryOptions(
      { slug, domain, instanceId: instance.id },
      { enabled: moved && isSound, staleTime: 2000 },
    ),
  );
  const sent = fieldErrors(move.error);
  const taken = moved && isSound && check.data?.free === false ? check.data : undefined;
  const error = sent.slug ?? (slug === "" ? undefined : slugProblem(slug)) ?? taken?.userMessage ?? undefined;
  const { scheme, port } = options.data?.urlPattern ?? { scheme: "https", port: null };
  const url = `${scheme}://${slug || "…"}.${domain}${port === null ? "" : `:${port}`}`;
  const blocked = moved ? null : "Enter a new address first.";
  return (
    <Dialog
      open
      onOpenChange={onClose}
      title={`Change the address of ${instance.company}?`}
      description="We create the new address first and remove the old one last, so one of them always works."
    >
      <form
        className="mt-5 grid gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          if (blocked === null && !move.isPending)
            move.mutate({ instanceId: instance.id, slug, domain, redirectDays });
        }}
      >
        <div className="grid gap-4 sm:grid-cols-[3fr_2fr]">
          <TextField
            id="slug"
            label="Slug"
            mono
            autoFocus
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            value={slug}
            error={error}
            repair={
              taken?.suggestion == null
                ? undefined
                : { label: `Use ${taken.suggestion}`, onRepair: () => setSlug(taken.suggestion ?? slug) }
            }
            hint={
              <span aria-live="polite">
                <span className="font-mono">
                  <Address>{url}</Address>
                </span>
                {moved && check.data?.free === true && " is available."}
              </span>
            }
            onChange={(event) => {
              if (move.isError) move.reset();
              setSlug(event.target.value);
            }}
          />
          <TextField
            id="domain"
            label="Domain"
            mono
            list="domains"
            value={domain}
            error={sent.domain ?? domainProblem(domain)}
            onChange={(event) => setDomain(event.target.value.trim().toLowerCase())}
          />
          <datalist id="domains">
            {options.data?.domains.map((one) => (
              <option key={one} value={one} />
            ))}
          </datalist>
        </div>
        <SelectField
          id="redirect"
          label={`Redirect ${instance.slug}.${instance.domain} to the new address`}
          value={redirectDays}
          onChange={(event) => setRedirectDays(Number(event.target.value))}
        >
          {times.map(({ days, label }) => (
            <option key={days} value={days}>
              {label}
            </option>
          ))}
        </SelectField>
        {move.isError && error === undefined && (
          <p role="alert" className="text-sm text-bad-ink">
            {sentenceOf(move.error)}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" sending={move.isPending} reason={blocked}>
            Change address
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
