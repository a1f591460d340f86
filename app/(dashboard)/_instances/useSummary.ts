"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { applyToPages } from "#app/applyEvent.ts";
import { useChanges } from "#app/live.tsx";
import { useTRPC } from "#app/trpc.tsx";
import type { InstanceStatus, StatusSum } from "#server/api/views.ts";
import { groupOf, type InstanceGroup } from "#server/instances/listOrder.ts";

/** What all instances add up to, and the newest of those with which something is being done, live. */
export function useSummary() {
  const trpc = useTRPC();
  const changes = useChanges();
  const { data } = useQuery(trpc.instances.summary.queryOptions());
  return useMemo(() => {
    if (data === undefined) return undefined;
    const rows = applyToPages([{ lastEventId: data.lastEventId, instances: data.underWay }], changes);
    const underWay = rows
      .filter((row) => groupOf[row.status] === "underWay" && row.operation !== null)
      .sort((a, b) => b.createdAt - a.createdAt);
    return { sums: data.sums, underWay };
  }, [data, changes]);
}

/** The sums of the statuses for which `isMeant` holds. */
export function total(sums: readonly StatusSum[], isMeant: (status: InstanceStatus) => boolean) {
  const meant = sums.filter(({ status }) => isMeant(status));
  const sum = (key: "count" | "droplets" | "monthlyCents") => meant.reduce((all, one) => all + one[key], 0);
  return { count: sum("count"), droplets: sum("droplets"), monthlyCents: sum("monthlyCents") };
}

export const isLive = (status: InstanceStatus): boolean => status !== "destroyed";
export const isIn = (group: InstanceGroup) => (status: InstanceStatus) => groupOf[status] === group;
