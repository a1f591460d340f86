"use client";
import { useQuery } from "@tanstack/react-query";
import {
  Archive,
  GitCompareArrows,
  Inbox,
  LayoutGrid,
  type LucideIcon,
  Radio,
  RefreshCw,
  ScrollText,
  SlidersHorizontal,
} from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";
import type { ReactNode } from "react";
import { StatusIcon } from "#app/(dashboard)/_instances/statusIcon.tsx";
import { useOnEnded } from "#app/(dashboard)/_instances/useOnEnded.ts";
import { isIn, isLive, total, useSummary } from "#app/(dashboard)/_instances/useSummary.ts";
import { useDrift } from "#app/(dashboard)/drift/useDrift.ts";
import { useConnection } from "#app/live.tsx";
import { Mark } from "#app/mark.tsx";
import { aboutLeft, timeLeft } from "#app/progress/segments.ts";
import { Track } from "#app/progress/track.tsx";
import { statusLooks } from "#app/status.tsx";
import { age, useNow } from "#app/time.ts";
import { useTRPC } from "#app/trpc.tsx";
import { Tooltip } from "#app/ui/tooltip.tsx";
import { desktopUp, useMedia } from "#app/ui/useMedia.ts";
import { Account } from "./account.tsx";

type Place = { href: string; label: string; icon: LucideIcon };
const places: Place[] = [
  { href: "/", label: "Instances", icon: LayoutGrid },
  { href: "/backups", label: "Backups", icon: Archive },
  { href: "/activity", label: "Activity", icon: ScrollText },
  { href: "/drift", label: "Drift", icon: GitCompareArrows },
  { href: "/settings", label: "Settings", icon: SlidersHorizontal },
];
/** While no mail is sent. A phone has no room for it: the settings lead there. */
const outbox: Place = { href: "/outbox", label: "Outbox", icon: Inbox };

const isHere = (path: string, href: string) =>
  href === "/" ? path === "/" || path.startsWith("/instances") : path.startsWith(href);

export function Sidebar() {
  const trpc = useTRPC();
  const path = usePathname();
  const summary = useSummary();
  const mails = useQuery(trpc.outbox.list.queryOptions());
  const drift = useDrift();
  useOnEnded(drift.refetch);
  const differences = drift.data?.findings.length ?? 0;
  const live = summary === undefined ? undefined : total(summary.sums, isLive).count;
  const shown = mails.data?.enabled === true ? [...places, outbox] : places;
  return (
    <>
      <StatusIcon />
      <aside className="sticky top-0 hidden h-dvh w-57 shrink-0 flex-col border-r border-line bg-sunken px-3 py-5 md:flex md:max-lg:w-16">
        <Link href="/" className="mx-2 mb-5 md:max-lg:w-6 md:max-lg:overflow-hidden">
          <Mark />
        </Link>
        <nav aria-label="Main" className="flex flex-col gap-0.5">
          {shown.map(({ href, label, icon: Icon }) => (
            <WhenNarrow key={href} text={label}>
              <Link
                href={href}
                aria-current={isHere(path, href) ? "page" : undefined}
                className={`relative flex h-9 items-center gap-2.5 rounded-[6px] px-2 hover:bg-hover md:max-lg:justify-center ${isHere(path, href) ? "bg-hover font-medium" : "text-ink-2"}`}
              >
                <Icon size={16} strokeWidth={1.9} className="shrink-0" aria-hidden />
                <span className="grow md:max-lg:sr-only">{label}</span>
                {href === "/" && live !== undefined && (
                  <span className="text-sm text-ink-3 tabular-nums md:max-lg:sr-only">{live}</span>
                )}
                {href === "/drift" && <DriftCount count={differences} />}
              </Link>
            </WhenNarrow>
          ))}
        </nav>
        <UnderWay />
        <div className="mt-auto flex flex-col gap-3 px-2">
          <LiveSign />
          <Account />
        </div>
      </aside>
      <div className="fixed inset-x-0 bottom-0 z-30 md:hidden">
        <LostSign />
        <nav aria-label="Main" className="grid auto-cols-fr grid-flow-col border-t border-line bg-paper">
          {places.map(({ href, label, icon: Icon }) => (
            <Link
              key={href}
              href={href}
              aria-current={isHere(path, href) ? "page" : undefined}
              className={`flex min-h-16 flex-col items-center justify-center gap-1 text-xs ${isHere(path, href) ? "font-medium" : "text-ink-2"}`}
            >
              <span className="relative">
                <Icon size={20} strokeWidth={1.9} aria-hidden />
                {href === "/drift" && <DriftCount count={differences} />}
              </span>
              {label}
            </Link>
          ))}
        </nav>
      </div>
    </>
  );
}

/** How many differences there are; nothing while DigitalOcean and our records agree. */
function DriftCount({ count }: { count: number }) {
  if (count === 0) return null;
  return (
    <span className="min-w-5 rounded-full bg-warn-tint px-1.5 text-center text-xs leading-5 font-medium text-warn-ink tabular-nums max-lg:absolute max-md:-top-2 max-md:left-3 md:max-lg:-top-0.5 md:max-lg:-right-1">
      {count}
      <span className="sr-only">{count === 1 ? " difference" : " differences"}</span>
    </span>
  );
}

/** Between phone and desktop the rail has icons only: their words show beside them. */
function WhenNarrow({ text, children }: { text: string; children: ReactNode }) {
  const wide = useMedia(desktopUp);
  if (wide) return children;
  return (
    <Tooltip text={text} side="right">
      {children}
    </Tooltip>
  );
}

const shownUnderWay = 8;

function UnderWay() {
  const { sums = [], underWay: busy = [] } = useSummary() ?? {};
  const connection = useConnection();
  const more = Math.max(total(sums, isIn("underWay")).count, busy.length) - shownUnderWay;
  const now = useNow(1000, busy.length === 0 || !connection.live);
  if (busy.length === 0) return null;
  return (
    <section aria-label="In progress" className="mt-7 min-h-0 overflow-x-hidden overflow-y-auto px-2 py-0.5">
      <h2 className="mb-2 text-sm text-ink-3 md:max-lg:sr-only">In progress</h2>
      {busy.slice(0, shownUnderWay).map((row) => {
        if (row.operation === null) return null;
        const { word, icon: Icon, ink } = statusLooks[row.status];
        const ms = timeLeft(row.operation.steps, now);
        const left = ms === undefined ? undefined : aboutLeft(ms).replace(/^about | left$/g, "");
        return (
          <WhenNarrow key={row.id} text={`${row.company}, ${word}${left === undefined ? "" : `, ${left}`}`}>
            <Link href={`/instances/${row.slug}`} className="mb-4 block rounded-[6px]">
              <Icon size={16} strokeWidth={1.9} className={`mx-auto mb-1.5 lg:hidden ${ink}`} aria-hidden />
              <span className="flex justify-between gap-2 text-sm md:max-lg:sr-only">
                <span className="truncate font-medium">{row.company}</span>
                {left !== undefined && <span className="shrink-0 text-ink-3 tabular-nums">{left}</span>}
              </span>
              <span className="mb-1.5 block text-sm text-ink-2 md:max-lg:sr-only">{word}</span>
              <Track operation={row.operation} size="rail" frozen={!connection.live} />
            </Link>
          </WhenNarrow>
        );
      })}
      {more > 0 && (
        <p className="text-sm text-ink-3">
          <span className="md:max-lg:sr-only">and</span> {more} more
        </p>
      )}
    </section>
  );
}

const patienceMs = 3000;

/** Whether what is shown is the present. */
function LiveSign() {
  const connection = useConnection();
  const now = useNow(1000, connection.live);
  const isLive = connection.live || now - connection.since < patienceMs;
  const words = isLive ? "Live" : `Reconnecting, last update ${age(connection.since, now)}`;
  const Icon = isLive ? Radio : RefreshCw;
  return (
    <WhenNarrow text={words}>
      <p
        role={isLive ? undefined : "status"}
        className={`flex items-center gap-2 text-sm md:max-lg:justify-center ${isLive ? "text-ink-2" : "text-warn-ink"}`}
      >
        <Icon size={15} strokeWidth={1.9} className={`shrink-0 ${isLive ? "text-ok-ink" : ""}`} aria-hidden />
        <span className="md:max-lg:sr-only">{words}</span>
      </p>
    </WhenNarrow>
  );
}

/** On a phone only the bad news is told, above the navigation. */
function LostSign() {
  const connection = useConnection();
  const now = useNow(1000, connection.live);
  if (connection.live || now - connection.since < patienceMs) return null;
  return (
    <p role="status" className="bg-warn-tint px-4 py-2 text-center text-sm text-warn-ink">
      Reconnecting, last update {age(connection.since, now)}
    </p>
  );
}
