"use client";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useEffect, useState } from "react";
import { useTRPC } from "#app/trpc.tsx";
import { Address } from "#app/ui/address.tsx";
import { SelectField, TextField } from "#app/ui/field.tsx";
import { slugProblem, suggestSlug } from "#server/instances/rules.ts";
import type { Draft, Options } from "./draft.ts";

type Props = {
  draft: Draft;
  options: Options | undefined;
  errors: Record<string, string>;
  edit: (part: Partial<Draft>) => void;
  leave: (name: string) => () => void;
};

const own = "own";
const checkAfterMs = 250;

export function AddressFields({ draft, options, errors, edit, leave }: Props) {
  const trpc = useTRPC();
  const slug = useSettled(draft.slug);
  const check = useQuery(
    trpc.instances.checkSlug.queryOptions(
      { slug, domain: draft.domain },
      { enabled: slug !== "" && slugProblem(slug) === undefined && draft.domain !== "", staleTime: 2000 },
    ),
  );
  const answer = slug === draft.slug ? check.data : undefined;
  const error =
    errors.slug ??
    (draft.slug !== "" ? slugProblem(draft.slug) : undefined) ??
    (answer?.free === false ? (answer.userMessage ?? undefined) : undefined);
  const better = answer?.suggestion ?? suggestSlug(draft.slug);
  const { scheme, port } = options?.urlPattern ?? { scheme: "https", port: null };
  const url = `${scheme}://${draft.slug || "…"}.${draft.domain}${port === null ? "" : `:${port}`}`;
  return (
    <div className="grid gap-5 sm:grid-cols-[3fr_2fr]">
      <TextField
        id="slug"
        label="Slug"
        mono
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        value={draft.slug}
        error={error}
        repair={
          better !== "" && better !== draft.slug
            ? { label: `Use ${better}`, onRepair: () => edit({ slug: better, slugEdited: true }) }
            : undefined
        }
        hint={
          <span aria-live="polite">
            <span className="font-mono">
              <Address>{url}</Address>
            </span>
            {answer?.free === true && " is available."}
            {answer?.previous != null && (
              <>
                {" "}
                Last used by{" "}
                <Link
                  href={`/instances/${draft.slug}?id=${answer.previous.id}`}
                  className="underline underline-offset-2"
                >
                  {answer.previous.company}
                </Link>
                .
              </>
            )}
          </span>
        }
        onBlur={leave("slug")}
        onChange={(event) => edit({ slug: event.target.value, slugEdited: true })}
      />
      <div className="grid content-start gap-3">
        <SelectField
          id={draft.ownDomain ? "domain-choice" : "domain"}
          label="Domain"
          value={draft.ownDomain ? own : draft.domain}
          error={draft.ownDomain ? undefined : errors.domain}
          onChange={(event) =>
            edit(
              event.target.value === own
                ? { ownDomain: true, domain: "" }
                : { ownDomain: false, domain: event.target.value },
            )
          }
        >
          {options?.domains.map((domain) => (
            <option key={domain}>{domain}</option>
          ))}
          <option value={own}>The customer's own domain</option>
        </SelectField>
        {draft.ownDomain && (
          <TextField
            id="domain"
            label="Customer's domain"
            mono
            value={draft.domain}
            error={errors.domain}
            hint="Its DNS must be in your DigitalOcean account."
            onBlur={leave("domain")}
            onChange={(event) => edit({ domain: event.target.value.trim().toLowerCase() })}
          />
        )}
      </div>
    </div>
  );
}

/** The value once typing has paused. */
function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), checkAfterMs);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
