"use client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { duration, money, usualDuration } from "#app/time.ts";
import { useTRPC } from "#app/trpc.tsx";

/** What will happen, what it costs, and the button that begins it. */
export function Preview({
  monthlyCents,
  button,
  note,
}: {
  monthlyCents: number | undefined;
  button: ReactNode;
  note: string;
}) {
  const trpc = useTRPC();
  const plan = useQuery(trpc.instances.plan.queryOptions({ kind: "spawn" }));
  return (
    <aside className="flex w-full shrink-0 flex-col justify-between gap-8 border-line bg-sunken p-4 max-md:pb-40 md:p-7 lg:sticky lg:top-0 lg:h-dvh lg:w-87 lg:border-l">
      <div>
        <h2 className="text-lead font-semibold">What will happen</h2>
        {plan.data?.usualMs != null && (
          <p className="mt-1 text-sm text-ink-2">
            Usually ready in <strong className="font-medium text-ink">{duration(plan.data.usualMs)}</strong>,
            based on {plan.data.runs} spawns.
          </p>
        )}
        <ol className="mt-4 grid gap-2.5">
          {plan.data?.steps.map((step) => (
            <li
              key={step.name}
              className={`flex items-center gap-3 text-sm text-ink-2 ${step.branch !== null && step.branch > 0 ? "pl-4" : ""}`}
            >
              <span aria-hidden className="size-2.5 rounded-full border-2 border-ink-3" />
              <span className="grow">{step.label}</span>
              <span className="text-ink-3 tabular-nums">
                {step.branch !== null && step.branch > 0
                  ? "at the same time"
                  : step.usualMs === null
                    ? ""
                    : usualDuration(step.usualMs)}
              </span>
            </li>
          ))}
        </ol>
      </div>
      <div className="grid gap-3 border-t border-line pt-4 max-md:fixed max-md:inset-x-0 max-md:bottom-16 max-md:z-10 max-md:gap-2 max-md:bg-sunken max-md:px-4 max-md:py-3">
        {monthlyCents !== undefined && (
          <p className="flex items-baseline justify-between">
            <span className="font-medium">Monthly cost</span>
            <span className="text-page font-semibold tabular-nums">{money(monthlyCents)}</span>
          </p>
        )}
        {button}
        <p className="text-center text-sm text-ink-2">{note}</p>
      </div>
    </aside>
  );
}
