"use client";
import Link from "next/link";
import { useSearchParams } from "next/navigation";
import { StatusPill } from "#app/status.tsx";
import { Address } from "#app/ui/address.tsx";
import { BackLink } from "#app/ui/pageFrame.tsx";
import type { InstanceDetail } from "#server/api/views.ts";
import { Actions } from "./actions.tsx";

const tabs = [
  { key: "overview", label: "Overview" },
  { key: "backups", label: "Backups" },
  { key: "activity", label: "Activity" },
  { key: "settings", label: "Settings" },
];

/** Who it is, how it is, where it answers, and what can be done with it. */
export function Header({ instance, tab }: { instance: InstanceDetail; tab: string }) {
  const search = useSearchParams();
  const address = (key: string) => {
    const next = new URLSearchParams(search);
    if (key === "overview") next.delete("tab");
    else next.set("tab", key);
    const query = next.toString();
    return `/instances/${instance.slug}${query === "" ? "" : `?${query}`}`;
  };
  return (
    <header className="border-b border-line px-4 pt-6 md:px-10 md:pt-8">
      <BackLink href="/" label="Instances" />
      <div className="flex flex-wrap items-start justify-between gap-4">
        <div className="min-w-0">
          <div className="flex flex-wrap items-center gap-3">
            <h1 className="text-page font-semibold tracking-[-0.02em]">{instance.company}</h1>
            <StatusPill status={instance.status} />
          </div>
          <p className="mt-1 font-mono text-sm text-ink-2">
            {instance.status === "destroyed" ? (
              <Address>{instance.url}</Address>
            ) : (
              <a
                href={instance.url}
                target="_blank"
                rel="noreferrer"
                className="underline decoration-line-2 underline-offset-4 hover:text-ink"
              >
                <Address>{instance.url}</Address>
              </a>
            )}
          </p>
        </div>
        <Actions instance={instance} />
      </div>
      <nav aria-label="Sections" className="mt-4 flex gap-6 overflow-x-auto">
        {tabs.map(({ key, label }) => (
          <Link
            key={key}
            href={address(key)}
            aria-current={tab === key ? "page" : undefined}
            className={`touch -mb-px flex items-center border-b-2 py-2.5 ${tab === key ? "border-ink font-medium" : "border-transparent text-ink-2 hover:text-ink"}`}
          >
            {label}
          </Link>
        ))}
      </nav>
    </header>
  );
}
