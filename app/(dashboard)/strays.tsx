"use client";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Trash2, TriangleAlert } from "lucide-react";
import { useState } from "react";
import type { StrayView } from "../../server/views.ts";
import { age, money, useNow } from "../time.ts";
import { useTRPC } from "../trpc.tsx";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/confirm.tsx";
import { useBegun } from "./instances/[slug]/useBegun.ts";
import { useOnEnded } from "./useOnEnded.ts";

const lookEveryMs = 60_000;

/** Droplets that cost money and belong to no instance; nothing at all while there are none. */
export function Strays() {
  const trpc = useTRPC();
  const now = useNow(lookEveryMs);
  const [asked, setAsked] = useState<StrayView>();
  const query = useQuery(trpc.instances.strays.queryOptions(undefined, { refetchInterval: lookEveryMs }));
  useOnEnded(query.refetch);
  const strays = query.data ?? [];
  if (strays.length === 0) return null;
  const sum = strays.reduce((total, stray) => total + stray.priceMonthlyCents, 0);
  return (
    <section aria-label="Stray droplets" className="mt-6 rounded-[10px] bg-warn-tint px-4 py-3">
      <p className="flex gap-2 font-medium text-warn-ink">
        <TriangleAlert size={16} strokeWidth={1.9} className="mt-0.5 shrink-0" aria-hidden />
        {strays.length === 1 ? "1 droplet costs" : `${strays.length} droplets cost`} {money(sum)} a month and
        {strays.length === 1 ? " belongs" : " belong"} to no instance.
      </p>
      <ul className="mt-1">
        {strays.map((stray) => (
          <li
            key={stray.dropletId}
            className="flex flex-wrap items-center justify-between gap-x-6 gap-y-1 py-1.5"
          >
            <span className="min-w-0">
              <span className="font-mono text-sm break-all">{stray.name}</span>
              <span className="block text-sm text-ink-2">
                bought {age(stray.createdAt, now)} for {stray.company}, {money(stray.priceMonthlyCents)} a
                month
              </span>
            </span>
            <Button look="danger-line" onClick={() => setAsked(stray)}>
              <Trash2 size={15} strokeWidth={1.9} aria-hidden />
              Destroy droplet
            </Button>
          </li>
        ))}
      </ul>
      {asked !== undefined && <Ask stray={asked} onClose={() => setAsked(undefined)} />}
    </section>
  );
}

function Ask({ stray, onClose }: { stray: StrayView; onClose: () => void }) {
  const trpc = useTRPC();
  const begun = useBegun({ id: stray.instanceId, slug: stray.slug }, onClose);
  const remove = useMutation(trpc.instances.removeStray.mutationOptions({ onSuccess: begun }));
  return (
    <Confirm
      title={`Destroy the droplet ${stray.name}?`}
      description="No instance knows it, and no address leads to it. What is on it is lost: no snapshot is taken."
      confirm="Destroy droplet"
      keep="Keep it"
      danger
      sending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate({ dropletId: stray.dropletId })}
      onClose={onClose}
    />
  );
}
