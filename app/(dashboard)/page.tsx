"use client";
import { Plus } from "lucide-react";
import Link from "next/link";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Mark } from "#app/mark.tsx";
import { money } from "#app/time.ts";
import { sentenceOf } from "#app/trpc.tsx";
import { Button, buttonClass } from "#app/ui/button.tsx";
import { Checkbox } from "#app/ui/checkbox.tsx";
import { Notice, Skeleton } from "#app/ui/notice.tsx";
import { manyRows, Rows } from "#app/ui/rows.tsx";
import { useReached } from "#app/ui/useReached.ts";
import type { InstanceStatus } from "#server/api/views.ts";
import { groupOf, type InstanceGroup } from "#server/instances/listOrder.ts";
import { chosenOf } from "./_instances/chosen.ts";
import { arrange, groups } from "./_instances/grouping.ts";
import { NoMatches, SearchBox, StatusFilter } from "./_instances/listFilters.tsx";
import { Sum } from "./_instances/listSum.tsx";
import { columns, Row } from "./_instances/row.tsx";
import { SelectionActions } from "./_instances/selectionActions.tsx";
import { SelectionBar } from "./_instances/selectionBar.tsx";
import { useHeldRows } from "./_instances/useHeldRows.ts";
import { useList } from "./_instances/useList.ts";
import { isSelected, useSelection } from "./_instances/useSelection.ts";
import { isLive, total, useSummary } from "./_instances/useSummary.ts";
import { Account } from "./_shell/account.tsx";
import { EmptyList } from "./_shell/emptyList.tsx";

export default function InstancesPage() {
  const summary = useSummary();
  const [search, setSearch] = useState("");
  const [status, setStatus] = useState<InstanceStatus>();
  const { rows, upTo, query, found } = useList(search, status);
  const { selection, select, selectAll, clear, clearAll } = useSelection();
  const [selecting, setSelecting] = useState(false);
  const stopSelecting = useCallback(() => {
    clear();
    setSelecting(false);
  }, [clear]);
  const look = (next: { search: string; status: InstanceStatus | undefined }) => {
    clearAll();
    setSearch(next.search);
    setStatus(next.status);
  };
  const held = useHeldRows();
  const before = useRef<ReadonlyMap<string, InstanceGroup>>(new Map());
  const sums = summary?.sums ?? [];
  const hasAny = total(sums, () => true).count > 0;
  const isEmpty = summary !== undefined && !hasAny;
  const live = total(sums, isLive);
  const arranged = useMemo(
    () => arrange(rows ?? [], { search, status, upTo }, held, before.current),
    [rows, search, status, upTo, held],
  );
  useEffect(() => {
    before.current = new Map([...arranged].flatMap(([group, rows]) => rows.map((row) => [row.id, group])));
  }, [arranged]);
  const shown = [...arranged.values()].flat();
  const choosable = shown.filter((row) => row.status !== "destroyed");
  const chosen = chosenOf(selection, rows ?? [], shown, { search, status, found });
  const chosenInSight = choosable.filter((row) => isSelected(selection, row.id)).length;
  const isAll =
    "rows" in selection
      ? chosenInSight === choosable.length && upTo === undefined
      : chosenInSight === choosable.length;
  const countIn = (group: InstanceGroup) =>
    total(found, (one) => groupOf[one] === group && (status === undefined ? isLive(one) : one === status))
      .count;
  const { fetchNextPage, hasNextPage, isFetchingNextPage } = query;
  const more = useReached(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, shown.length);
  return (
    <div className={`px-4 pt-2.5 md:px-10 md:pt-8 ${chosen.count > 0 ? "pb-24" : "pb-6 md:pb-8"}`}>
      <div className="mb-3 flex min-h-11 items-center gap-2 *:first:grow md:hidden">
        <Mark />
        {live.count > 0 && (
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
          {hasAny && <Sum sums={sums} />}
          {live.droplets > 0 && (
            <p className="mt-1 text-ink-3 tabular-nums md:hidden">{money(live.monthlyCents)} a month</p>
          )}
        </div>
        <div className="flex items-center gap-6 max-md:hidden">
          {live.droplets > 0 && (
            <p className="text-right">
              <span className="block text-lead tabular-nums">{money(live.monthlyCents)} a month</span>
              <span className="block text-sm text-ink-3">
                {live.droplets === 1 ? "1 droplet" : `${live.droplets} droplets`}
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
      {(query.isPending || summary === undefined) && !query.isError && <Skeleton />}
      {isEmpty && <EmptyList />}
      {rows !== undefined && hasAny && (
        <>
          <div className="mt-5 flex items-center gap-3 max-md:flex-wrap md:mt-6">
            <SearchBox value={search} onChange={(typed) => look({ search: typed, status })} />
            <StatusFilter sums={sums} value={status} onChange={(next) => look({ search, status: next })} />
          </div>
          {choosable.length > 0 && (
            <div className={`mt-4 grid items-center text-sm text-ink-2 max-md:hidden ${columns}`}>
              <Checkbox
                aria-label="Select all"
                checked={isAll}
                mixed={chosenInSight > 0 && !isAll}
                onChange={(event) => {
                  // While there are more than have been loaded, all that the search and the filter mean.
                  if (!event.target.checked && !("rows" in selection)) clear();
                  else if (event.target.checked && upTo !== undefined) selectAll();
                  else select(choosable, event.target.checked);
                }}
              />
              <span>Customer</span>
              <span>Status</span>
              <span>Size and place</span>
              <span className="text-right">A month</span>
            </div>
          )}
          {shown.length === 0 && (
            <NoMatches search={search} onShowAll={() => look({ search: "", status: undefined })} />
          )}
          {groups.map(({ key, title }) => {
            const inGroup = arranged.get(key) ?? [];
            if (inGroup.length === 0) return null;
            return (
              <section key={key} aria-label={title} className="mt-6">
                <h2 className="border-b border-line pb-2 text-sm font-semibold">
                  {title}{" "}
                  <span className="ml-1 font-normal text-ink-3 tabular-nums">
                    {upTo === undefined ? inGroup.length : Math.max(countIn(key), inGroup.length)}
                  </span>
                </h2>
                <Rows
                  items={inGroup}
                  keyOf={(row) => row.id}
                  estimate={key === "underWay" ? 76 : 53}
                  virtual={shown.length > manyRows}
                >
                  {(row) => (
                    <Row
                      row={row}
                      selected={isSelected(selection, row.id) && row.status !== "destroyed"}
                      selecting={selecting || chosen.count > 0}
                      onSelect={select}
                    />
                  )}
                </Rows>
              </section>
            );
          })}
          <div ref={more} />
        </>
      )}
      {chosen.count > 0 && (
        <SelectionBar
          count={chosen.count}
          monthlyCents={chosen.monthlyCents}
          unseen={"rows" in selection ? chosen.count - chosenInSight : 0}
          onClear={stopSelecting}
        >
          <SelectionActions chosen={chosen} />
        </SelectionBar>
      )}
    </div>
  );
}
