"use client";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { applyToList } from "#app/applyEvent.ts";
import { useChanges } from "#app/live.tsx";
import { useTRPC } from "#app/trpc.tsx";

/** All instances, live. */
export function useInstances() {
  const trpc = useTRPC();
  const changes = useChanges();
  const query = useQuery(trpc.instances.list.queryOptions());
  const instances = useMemo(
    () => (query.data === undefined ? undefined : applyToList(query.data, changes)),
    [query.data, changes],
  );
  return { instances, query };
}
