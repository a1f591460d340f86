"use client";
import { useQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { useTRPC } from "#app/trpc.tsx";
import { machineName } from "./machineNames.ts";

const nothing = { sizes: [], regions: [] };

/** Names a size and a region as people do: "Small, Frankfurt". Slugs until the offers are known. */
export function useMachineNames(): (size: string, region: string) => string {
  const trpc = useTRPC();
  // What DigitalOcean offers changes over months, and the server itself asks only every ten minutes.
  const { data = nothing } = useQuery(trpc.instances.options.queryOptions(undefined, { staleTime: 600_000 }));
  return useCallback((size, region) => machineName(data, size, region), [data]);
}
