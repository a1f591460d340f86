"use client";
import { lazy, type ReactNode, Suspense, useDeferredValue } from "react";
import type { RowsInSightProps } from "./rowsInSight.tsx";

const RowsInSight = lazy(() =>
  import("./rowsInSight.tsx").then(
    (module) => ({ default: module.RowsInSight }),
    // Slower to draw, but nothing is missing.
    () => ({ default: AllRows }),
  ),
);

/** From so many rows on only those in sight are drawn. */
export const manyRows = 100;

type Props<Item> = {
  items: readonly Item[];
  keyOf: (item: Item) => string;
  /** Typical row height, in px. */
  estimate: number;
  /** Draws only what is in sight: for a page of more than `manyRows`. */
  virtual: boolean;
  children: (item: Item) => ReactNode;
};

/** A list that the page scrolls. Each item carries its key as `data-row`. */
export function Rows<Item>({ items, keyOf, estimate, virtual, children }: Props<Item>) {
  // Deferred, so that a list that has grown long stays visible while the code loads.
  const isLong = useDeferredValue(virtual);
  const rows: RowsInSightProps = {
    keys: items.map(keyOf),
    estimate,
    children: (index) => {
      const item = items[index];
      return item === undefined ? null : children(item);
    },
  };
  return (
    <Suspense fallback={<AllRows {...rows} />}>
      {isLong ? <RowsInSight {...rows} /> : <AllRows {...rows} />}
    </Suspense>
  );
}

function AllRows({ keys, children }: RowsInSightProps) {
  return (
    <ul>
      {keys.map((key, index) => (
        <li key={key} data-row={key}>
          {children(index)}
        </li>
      ))}
    </ul>
  );
}
