"use client";
import { lazy, type ReactNode, Suspense, useDeferredValue } from "react";

const RowsInSight = lazy(() =>
  import("./rowsInSight.tsx").then((module) => ({ default: module.RowsInSight })),
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
export function Rows<Item>(props: Props<Item>) {
  const { items, keyOf, estimate, virtual, children } = props;
  // Deferred, so that a list that has grown long stays visible while the code loads.
  const isLong = useDeferredValue(virtual);
  return (
    <Suspense fallback={<AllRows {...props} />}>
      {isLong ? (
        <RowsInSight keys={items.map(keyOf)} estimate={estimate}>
          {(index) => {
            const item = items[index];
            return item === undefined ? null : children(item);
          }}
        </RowsInSight>
      ) : (
        <AllRows {...props} />
      )}
    </Suspense>
  );
}

function AllRows<Item>({ items, keyOf, children }: Props<Item>) {
  return (
    <ul>
      {items.map((item) => (
        <li key={keyOf(item)} data-row={keyOf(item)}>
          {children(item)}
        </li>
      ))}
    </ul>
  );
}
