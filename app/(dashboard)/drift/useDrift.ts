"use client";
import { useQuery } from "@tanstack/react-query";
import { useOnEnded } from "#app/(dashboard)/_instances/useOnEnded.ts";
import { useTRPC } from "#app/trpc.tsx";

/**
 * Where DigitalOcean and our records differ; read by the page and by the count beside its link. It changes with every
 * comparison, which comes as news, and with the operations that put differences right.
 */
export function useDrift() {
  const trpc = useTRPC();
  const query = useQuery(trpc.drift.list.queryOptions());
  useOnEnded(query.refetch);
  return query;
}
