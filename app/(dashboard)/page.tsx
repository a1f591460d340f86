"use client";
import { Plus } from "lucide-react";
import Link from "next/link";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Mark } from "#app/mark.tsx";
import { money, monthlyCents } from "#app/time.ts";
import { sentenceOf } from "#app/trpc.tsx";
import { Button, buttonClass } from "#app/ui/button.tsx";
import { Checkbox } from "#app/ui/checkbox.tsx";
import { Empty, Notice, Skeleton } from "#app/ui/notice.tsx";
import { manyRows, Rows } from "#app/ui/rows.tsx";
import type { InstanceStatus } from "#server/api/views.ts";
import { arrange, type Group, groups } from "./_instances/grouping.ts";
import { SearchBox, StatusFilter } from "./_instances/listFilters.tsx";
import { Sum } from "./_instances/listSum.tsx";
import { columns, Row } from "./_instances/row.tsx";
import { SelectionActions } from "./_instances/selectionActions.tsx";
import { SelectionBar } from "./_instances/selectionBar.tsx";
import { useHeldRows } from "./_instances/useHeldRows.ts";
import { useInstances } from "./_instances/useInstances.ts";
import { useSelection } from "./_instances/useSelection.ts";
import { Account } from "./_shell/account.tsx";
import { EmptyList } from "./_shell/emptyList.tsx";

export default function InstancesPage() {
  const { instances, query } = useInstances();
  const [search, setSearch] = useState("");
  const [filter, setFilter] = useState<InstanceStatus>();
  const { selected, select, clear } = useSelection();
  const [selecting, setSelecting] = useState(false);
  const stopSelecting = useCallback(() => {
    clear();
    setSelecting(false);
  }, [clear]);
  const held = useHeldRows();
  const before = useRef<ReadonlyMap<string, Group>>(new Map());
  const isEmpty = instances?.length === 0;
  const live = instances?.filter((row) => row.status !== "destroyed") ?? [];
  const words = search.trim().toLowerCase();
  const arranged = useMemo(
    () => arrange(instances ?? [], { words, filter }, held, before.current),
    [instances, words, filter, held],
  );
  useEffect(() => {
    before.current = new Map([...arranged].flatMap(([group, rows]) => rows.map((row) => [row.id, group])));
  }, [arranged]);
  const shown = [...arranged.values()].flat();
  const choosable = shown.filter((row) => row.status !== "destroyed");
  const chosen = live.filter((row) => selected.has(row.id));
  const chosenInSight = choosable.filter((row) => selected.has(row.id)).length;
  const monthly = live.reduce((sum, row) => sum + monthlyCents(row), 0);
  const droplets = live.filter((row) => row.dropletId !== null && row.dropletGoneAt === null).length;
  return (
    <div className={`px-4 pt-2.5 md:px-10 md:pt-8 ${chosen.length > 0 ? "pb-24" : "pb-6 md:pb-8"}`}>
      <div className="mb-3 flex min-h-11 items-center gap-2 *:first:grow md:hidden">
        <Mark />
        {live.length > 0 && (
          <Button
            look="bare"
            aria-pressed={selecting}
            onClick={() => (selecting ? stopSelecting() : setSelecting(true))}
          >
            {selecting ? "Done" : "Select"}
          </Button>
        )}
        <Account alone />
        {!isEmpty && (
          <Link href="/instances/new" aria-label="New instance" className={`${buttonClass("primary")} w-11`}>
            <Plus size={18} strokeWidth={1.9} className="shrink-0" aria-hidden />
          </Link>
        )}
      </div>
      <header className="flex items-start justify-between gap-4">
        <div>
          <h1 className="text-page font-semibold tracking-[-0.02em]">Instances</h1>
          {instances !== undefined && instances.length > 0 && <Sum rows={live} />}
          {live.length > 0 && (
            <p className="mt-1 text-ink-3 tabular-nums md:hidden">{money(monthly)} a month</p>
          )}
        </div>
        <div className="flex items-center gap-6 max-md:hidden">
          {live.length > 0 && (
            <p className="text-right">
              <span className="block text-lead tabular-nums">{money(monthly)} a month</span>
              <span className="block text-sm text-ink-3">
                {droplets === 1 ? "1 droplet" : `${droplets} droplets`}
              </span>
            </p>
          )}
          {!isEmpty && (
            <Link href="/instances/new" className={buttonClass("primary", true)}>
              <Plus size={16} strokeWidth={1.9} aria-hidden />
              New instance
            </Link>
          )}
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
      {isEmpty && <EmptyList />}
      {instances !== undefined && instances.length > 0 && (
        <>
          <div className="mt-5 flex items-center gap-3 max-md:flex-wrap md:mt-6">
            <SearchBox value={search} onChange={setSearch} />
            <StatusFilter rows={instances} value={filter} onChange={setFilter} />
          </div>
          {choosable.length > 0 && (
            <div className={`mt-4 grid items-center text-sm text-ink-2 max-md:hidden ${columns}`}>
              <Checkbox
                aria-label="Select all"
                checked={chosenInSight === choosable.length}
                mixed={chosenInSight > 0 && chosenInSight < choosable.length}
                onChange={(event) =>
                  select(
                    choosable.map((row) => row.id),
                    event.target.checked,
                  )
                }
              />
              <span>Customer</span>
              <span>Status</span>
              <span>Size and place</span>
              <span className="text-right">A month</span>
            </div>
          )}
          {shown.length === 0 && (
            <Empty title="No matches.">
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
            const rows = arranged.get(key) ?? [];
            if (rows.length === 0) return null;
            return (
              <section key={key} aria-label={title} className="mt-6">
                <h2 className="border-b border-line pb-2 text-sm font-semibold">
                  {title} <span className="ml-1 font-normal text-ink-3 tabular-nums">{rows.length}</span>
                </h2>
                <Rows
                  items={rows}
                  keyOf={(row) => row.id}
                  estimate={key === "underWay" ? 76 : 53}
                  virtual={shown.length > manyRows}
                >
                  {(row) => (
                    <Row
                      row={row}
                      selected={selected.has(row.id)}
                      selecting={selecting || chosen.length > 0}
                      onSelect={select}
                    />
                  )}
                </Rows>
              </section>
            );
          })}
        </>
      )}
      {chosen.length > 0 && (
        <SelectionBar rows={chosen} unseen={chosen.length - chosenInSight} onClear={stopSelecting}>
          <SelectionActions rows={chosen} />
        </SelectionBar>
      )}
    </div>
  );
}
