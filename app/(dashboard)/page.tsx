"use client";
import { Plus, Search } from "lucide-react";
import Link from "next/link";
import { useEffect, useRef, useState } from "react";
import type { InstanceRow, InstanceStatus } from "../../server/views.ts";
import { allStatuses, groupOf, statusLooks } from "../status.tsx";
import { money } from "../time.ts";
import { sentenceOf } from "../trpc.tsx";
import { Button, buttonClass } from "../ui/button.tsx";
import { Empty, Notice, Skeleton } from "../ui/notice.tsx";
import { Row } from "./row.tsx";
import { SelectionBar } from "./selectionBar.tsx";
import { useInstances } from "./useInstances.ts";

const groups = [
  { key: "needs", title: "Needs you" },
  { key: "underWay", title: "Under way" },
  { key: "well", title: "All well" },
  { key: "over", title: "Destroyed" },
] as const;

export default function InstancesPage() {
  const { instances, query } = useInstances();
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState<InstanceStatus>();
  const live = instances?.filter((row) => row.status !== "destroyed") ?? [];
  const words = search.trim().toLowerCase();
  const shown = (instances ?? []).filter(
    (row) =>
      (filter === undefined ? row.status !== "destroyed" : row.status === filter) &&
      (words === "" || `${row.company} ${row.url}`.toLowerCase().includes(words)),
  );
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const selected = live.filter((row) => chosen.has(row.id));
  const choose = (id: string, isSelected: boolean) => {
    const next = new Set(chosen);
    if (isSelected) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const monthly = live.reduce((sum, row) => sum + row.priceMonthlyCents, 0);
  return (
    <div className="px-4 py-6 md:px-10 md:py-8">
      <header className="flex flex-wrap items-start justify-between gap-4">
        <div>
          <h1 className="text-page font-semibold tracking-[-0.02em]">Instances</h1>
          {instances !== undefined && instances.length > 0 && <Sum rows={live} />}
        </div>
        <div className="flex items-center gap-6">
          {live.length > 0 && (
            <p className="md:text-right">
              <span className="block text-lead tabular-nums">{money(monthly)} a month</span>
              <span className="text-sm text-ink-3">
                {live.length === 1 ? "1 droplet" : `${live.length} droplets`}
              </span>
            </p>
          )}
          <Link href="/instances/new" className={buttonClass("primary", true)}>
            <Plus size={16} strokeWidth={1.9} aria-hidden />
            New instance
          </Link>
        </div>
      </header>
      {query.isError && (
        <div className="mt-6 flex items-center gap-4">
          <Notice tone="bad" alert>
            {sentenceOf(query.error)}
          </Notice>
          <Button onClick={() => void query.refetch()}>Try again</Button>
        </div>
      )}
      {query.isPending && <Skeleton />}
      {instances?.length === 0 && (
        <Empty title="No customer has an intranet yet.">
          <p className="max-w-prose text-ink-2">
            Fill in who it is for, and watch it happen: a droplet, Ansible, an address, an email. From $6.00 a
            month.
          </p>
        </Empty>
      )}
      {instances !== undefined && instances.length > 0 && (
        <>
          <div className="mt-6 flex flex-wrap items-center gap-3">
            <SearchBox value={search} onChange={setSearch} />
            <StatusFilter rows={instances} value={filter} onChange={setFilter} />
          </div>
          {selected.length > 0 && (
            <SelectionBar
              rows={selected}
              onAll={() => setChosen(new Set(shown.map((row) => row.id)))}
              onClear={() => setChosen(new Set())}
            />
          )}
          {shown.length === 0 && (
            <Empty title="Nothing fits.">
              <Button
                onClick={() => {
                  setSearch("");
                  setFilter(undefined);
                }}
              >
                Clear search
              </Button>
            </Empty>
          )}
          {groups.map(({ key, title }) => {
            const rows = shown
              .filter((row) => groupOf[row.status] === key)
              .sort((a, b) => a.company.localeCompare(b.company));
            if (rows.length === 0) return null;
            return (
              <section key={key} aria-label={title} className="mt-7">
                <h2 className="border-b border-line pb-2 text-sm font-semibold">
                  {title} <span className="ml-1 font-normal text-ink-3 tabular-nums">{rows.length}</span>
                </h2>
                <ul>
                  {rows.map((row) => (
                    <Row
                      key={row.id}
                      row={row}
                      isSelected={chosen.has(row.id) && row.status !== "destroyed"}
                      onSelect={(isSelected) => choose(row.id, isSelected)}
                    />
                  ))}
                </ul>
              </section>
            );
          })}
        </>
      )}
    </div>
  );
}

/** What the list adds up to. */
function Sum({ rows }: { rows: InstanceRow[] }) {
  const count = (group: string) => rows.filter((row) => groupOf[row.status] === group).length;
  const [needs, underWay, well] = [count("needs"), count("underWay"), count("well")];
  const parts = [
    underWay > 0 && `${underWay} ${underWay === 1 ? "is" : "are"} under way`,
    well > 0 && `${well} ${well === 1 ? "is" : "are"} well`,
  ].filter(Boolean);
  if (rows.length === 0) return <p className="mt-1 text-ink-2">None is alive.</p>;
  return (
    <p className="mt-1 text-ink-2">
      {needs > 0 && (
        <strong className="font-semibold text-ink">
          {needs === 1 ? "1 needs you" : `${needs} need you`}
        </strong>
      )}
      {needs > 0 && parts.length > 0 && ", "}
      {parts.join(", ")}.
    </p>
  );
}

function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && event.target.matches("input, textarea, select");
      if (event.key !== "/" || typing) return;
      event.preventDefault();
      box.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  return (
    <label className="relative w-full sm:w-60">
      <span className="sr-only">Search</span>
      <Search
        size={15}
        strokeWidth={1.9}
        className="absolute left-3 top-1/2 -translate-y-1/2 text-ink-3"
        aria-hidden
      />
      <input
        ref={box}
        type="search"
        placeholder="Search"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        className="touch h-8 w-full rounded-[6px] border border-field bg-raised pr-3 pl-9 max-md:text-[16px]"
      />
    </label>
  );
}

type FilterProps = {
  rows: InstanceRow[];
  value: InstanceStatus | undefined;
  onChange: (status: InstanceStatus | undefined) => void;
};

function StatusFilter({ rows, value, onChange }: FilterProps) {
  const counts = allStatuses
    .map((status) => ({ status, count: rows.filter((row) => row.status === status).length }))
    .filter(({ status, count }) => count > 0 || status === value || status === "destroyed");
  const chip = (chosen: boolean) =>
    `touch h-8 rounded-[6px] px-2.5 text-sm whitespace-nowrap hover:bg-hover ${chosen ? "bg-hover font-medium" : "text-ink-2"}`;
  return (
    <fieldset className="-mx-1 flex max-w-full gap-1 overflow-x-auto px-1">
      <legend className="sr-only">Status</legend>
      <button
        type="button"
        aria-pressed={value === undefined}
        className={chip(value === undefined)}
        onClick={() => onChange(undefined)}
      >
        All{" "}
        <span className="ml-1 text-ink-3 tabular-nums">
          {rows.filter((row) => row.status !== "destroyed").length}
        </span>
      </button>
      {counts.map(({ status, count }) => (
        <button
          key={status}
          type="button"
          aria-pressed={value === status}
          className={chip(value === status)}
          onClick={() => onChange(status)}
        >
          {statusLooks[status].word} <span className="ml-1 text-ink-3 tabular-nums">{count}</span>
        </button>
      ))}
    </fieldset>
  );
}
