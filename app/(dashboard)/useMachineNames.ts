"use client";
import { useQuery } from "@tanstack/react-query";
import { useTRPC } from "../trpc.tsx";

/** A droplet's size and region in words ("Small, Frankfurt 1"), and as DigitalOcean calls them until they are known. */
export function useMachineNames() {
  const trpc = useTRPC();
  const { data } = useQuery(trpc.instances.options.queryOptions());
  return ({ size, region }: { size: string; region: string }): string => {
    const sizeName = data?.sizes.find((one) => one.slug === size)?.name ?? size;
    const regionName = data?.regions.find((one) => one.slug === region)?.name ?? region;
    return `${sizeName}, ${regionName}`;
  };
}
