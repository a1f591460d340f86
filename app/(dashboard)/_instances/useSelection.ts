"use client";
import { useCallback, useState } from "react";
import type { InstanceRow } from "#server/api/views.ts";

type Rows = ReadonlyMap<string, InstanceRow>;
/** Rows one by one, or all that the search and the filter mean, but for some. */
export type Selection = { rows: Rows } | { allBut: Rows };

const nothing: Selection = { rows: new Map() };

const changed = (rows: Rows, list: readonly InstanceRow[], isIn: boolean): Rows => {
  const next = new Map(rows);
  for (const row of list) {
    if (isIn) next.set(row.id, row);
    else next.delete(row.id);
  }
  return next;
};

/** Which rows are chosen. */
export function useSelection() {
  const [selection, setSelection] = useState<Selection>(nothing);
  const select = useCallback(
    (list: readonly InstanceRow[], on: boolean) =>
      setSelection((before) =>
        "rows" in before
          ? { rows: changed(before.rows, list, on) }
          : { allBut: changed(before.allBut, list, !on) },
      ),
    [],
  );
  const selectAll = useCallback(() => setSelection({ allBut: new Map() }), []);
  const clear = useCallback(() => setSelection(nothing), []);
  /** What "all" means changes with the search and the filter: nobody has seen that chosen. */
  const clearAll = useCallback(() => setSelection((before) => ("rows" in before ? before : nothing)), []);
  return { selection, select, selectAll, clear, clearAll };
}

export const isSelected = (selection: Selection, id: string): boolean =>
  "rows" in selection ? selection.rows.has(id) : !selection.allBut.has(id);
