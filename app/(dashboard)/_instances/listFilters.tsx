"use client";
import { Search } from "lucide-react";
import { useEffect, useRef } from "react";
import { allStatuses, statusLooks } from "#app/status.tsx";
import { Button } from "#app/ui/button.tsx";
import { Empty } from "#app/ui/notice.tsx";
import { isTyping } from "#app/ui/typing.ts";
import type { InstanceStatus, StatusSum } from "#server/api/views.ts";
import { isLive, total } from "./useSummary.ts";

/** Always in sight; `/` leads to it. */
export function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== "/" || isTyping(event)) return;
      event.preventDefault();
      box.current?.focus();
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);
  return (
    <label className="relative w-full md:w-60">
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
        aria-keyshortcuts="/"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        className="peer touch h-8 w-full rounded-[6px] border border-field bg-raised pr-3 pl-9 max-md:text-[16px]"
      />
      {value === "" && (
        <kbd
          aria-hidden
          className="absolute top-1/2 right-2 grid size-5 -translate-y-1/2 place-items-center rounded-[4px] border border-line-2 font-sans text-xs text-ink-3 peer-focus:hidden max-md:hidden"
        >
          /
        </kbd>
      )}
    </label>
  );
}

/** Nothing that is there fits the search and the filter; the way back to all. */
export function NoMatches({ search, onShowAll }: { search: string; onShowAll: () => void }) {
  return (
    <Empty title="No matches.">
      <Button onClick={onShowAll}>{search.trim() === "" ? "Show all" : "Clear search"}</Button>
    </Empty>
  );
}

type Choice<Value> = { value: Value; label: string; count: number };

/** One choice of several, each with how many there are of it. */
export function Chips<Value extends string | undefined>({
  legend,
  choices,
  value,
  onChange,
}: {
  legend: string;
  choices: readonly Choice<Value>[];
  value: Value;
  onChange: (value: Value) => void;
}) {
  return (
    <fieldset className="flex min-w-0 gap-1 overflow-x-auto p-1 max-md:-mx-4 max-md:w-screen max-md:px-4">
      <legend className="sr-only">{legend}</legend>
      {choices.map((choice) => (
        <button
          key={choice.label}
          type="button"
          aria-pressed={choice.value === value}
          className={`touch h-8 shrink-0 rounded-[6px] px-2.5 text-sm whitespace-nowrap hover:bg-hover ${choice.value === value ? "bg-hover font-medium" : "text-ink-2"}`}
          onClick={() => onChange(choice.value)}
        >
          {choice.label} <span className="ml-1 text-ink-3 tabular-nums">{choice.count}</span>
        </button>
      ))}
    </fieldset>
  );
}

type FilterProps = {
  sums: readonly StatusSum[];
  value: InstanceStatus | undefined;
  onChange: (status: InstanceStatus | undefined) => void;
};

/** Chips for the statuses that there are, and always for Destroyed. */
export function StatusFilter({ sums, value, onChange }: FilterProps) {
  const count = (status: InstanceStatus) => total(sums, (one) => one === status).count;
  const shown = allStatuses.filter(
    (status) => status === "destroyed" || status === value || count(status) > 0,
  );
  const choices = shown.map((status) => ({
    value: status,
    label: statusLooks[status].word,
    count: count(status),
  }));
  const all = { value: undefined, label: "All", count: total(sums, isLive).count };
  return (
    <Chips<InstanceStatus | undefined> legend="Status" choices={[all, ...choices]} {...{ value, onChange }} />
  );
}
