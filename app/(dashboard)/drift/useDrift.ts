"use client";
import { useQuery } from "@tanstack/react-query";
import { useTRPC } from "#app/trpc.tsx";

const lookEveryMs = 15_000;

/** Where DigitalOcean and our records differ; read by the page and by the count beside its link. */
export function useDrift() {
  const trpc = useTRPC();
  return useQuery(trpc.drift.list.queryOptions(undefined, { refetchInterval: lookEveryMs }));
}
