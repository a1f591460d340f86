"use client";
import { useQuery } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import Link from "next/link";
import { money } from "#app/time.ts";
import { useTRPC } from "#app/trpc.tsx";
import { buttonClass } from "#app/ui/button.tsx";
import { Empty } from "#app/ui/notice.tsx";

/** The first page that Joe sees: what will happen, the button, the price. */
export function EmptyList() {
  const trpc = useTRPC();
  const options = useQuery(trpc.instances.options.queryOptions());
  const cheapest = options.data?.sizes[0]?.priceMonthlyCents;
  return (
    <Empty title="No instances yet" whole>
      <p className="max-w-110 text-lead text-ink-2">
        Fill in one form and watch your first customer’s intranet go live at its own address. You get an email
        when it’s ready.
      </p>
      <Link href="/instances/new" className={`${buttonClass("primary", true)} mt-2`}>
        <Plus size={16} strokeWidth={1.9} aria-hidden />
        New instance
      </Link>
      {cheapest !== undefined && (
        <p className="text-sm text-ink-3">
          From {money(cheapest)} a month. You see the price before you buy.
        </p>
      )}
    </Empty>
  );
}
