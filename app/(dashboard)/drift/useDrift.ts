"use client";
import { useQuery } from "@tanstack/react-query";
import { useOnEnded } from "#app/(dashboard)/_instances/useOnEnded.ts";
import { useTRPC } from "#app/trpc.tsx";

/**
 * Where DigitalOcean and our records differ, for the page and for the count beside its link. Every comparison may change
 * it, which the live feed reports, and so may every operation that resolves a difference.
 */
export function useDrift() {
  const trpc = useTRPC();
  const query = useQuery(trpc.drift.list.queryOptions());
  useOnEnded(query.refetch);
  return query;
}
