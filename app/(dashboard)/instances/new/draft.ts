"use client";
import type { inferRouterOutputs } from "@trpc/server";
import { useEffect, useState } from "react";
import { newIdempotencyKey } from "#app/idempotencyKey.ts";
import type { AppRouter } from "#server/api/router.ts";
import type { SpawnInput } from "#server/instances/inputs.ts";

export type Options = inferRouterOutputs<AppRouter>["instances"]["options"];
/** The form as it is typed. `slugEdited`: the slug no longer follows the company's name. */
export type Draft = SpawnInput & { slugEdited: boolean; ownDomain: boolean };

const key = "spawner-draft";

const empty = (): Draft => ({
  idempotencyKey: newIdempotencyKey(),
  ...{
    company: "",
    contactName: "",
    contactEmail: "",
    slug: "",
    domain: "",
    region: "",
    size: "",
    version: "",
  },
  variables: [],
  slugEdited: false,
  ownDomain: false,
});

export function forgetDraft(): void {
  sessionStorage.removeItem(key);
}

/** The draft, kept over a reload but for the values of secrets; fields nobody touched take the options' defaults. */
export function useDraft(options: Options | undefined) {
  const [typed, setTyped] = useState<Draft>(empty);
  useEffect(() => {
    try {
      const kept: unknown = JSON.parse(sessionStorage.getItem(key) ?? "null");
      if (typeof kept === "object" && kept !== null) setTyped({ ...empty(), ...kept });
    } catch {
      // A draft that cannot be read is no draft.
    }
  }, []);

  const draft: Draft = {
    ...typed,
    domain: typed.ownDomain ? typed.domain : typed.domain || (options?.domains[0] ?? ""),
    region: typed.region || (options?.defaults.region ?? ""),
    size: typed.size || (options?.defaults.size ?? ""),
    version: typed.version || (options?.versions[0] ?? ""),
  };
  const change = (part: Partial<Draft>) =>
    setTyped((before) => {
      const next = { ...before, ...part };
      const variables = next.variables.map((one) => (one.secret ? { ...one, value: "" } : one));
      sessionStorage.setItem(key, JSON.stringify({ ...next, variables }));
      return next;
    });
  return { draft, change };
}
