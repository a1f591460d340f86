"use client";
import { useQuery } from "@tanstack/react-query";
import { useTRPC } from "#app/trpc.tsx";

/**
 * Where DigitalOcean and our records differ, for the page and for the count beside its link. Every comparison may change
 * it, which the live feed reports, and so may every operation that resolves a difference: the sidebar, which is on every
 * page, asks for it again then.
 */
export function useDrift() {
  const trpc = useTRPC();
  return useQuery(trpc.drift.list.queryOptions());
}
