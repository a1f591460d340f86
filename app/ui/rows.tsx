"use client";
import { defaultRangeExtractor, useWindowVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";

/** From so many rows on only those in sight are drawn. */
export const manyRows = 100;

type Props<Item> = {
  items: readonly Item[];
  keyOf: (item: Item) => string;
  /** How high a row usually is, in px. */
  estimate: number;
  /** Draws only what is in sight: for a page of more than `manyRows`. */
  virtual: boolean;
  children: (item: Item) => ReactNode;
};

/** A list that the page scrolls. Each item carries its key as `data-row`. */
export function Rows<Item>(props: Props<Item>) {
  if (props.virtual) return <RowsInSight {...props} />;
  return (
    <ul>
      {props.items.map((item) => (
        <li key={props.keyOf(item)} data-row={props.keyOf(item)}>
          {props.children(item)}
        </li>
      ))}
    </ul>
  );
}

function RowsInSight<Item>({ items, keyOf, estimate, children }: Props<Item>) {
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  // Whatever grows or shrinks above the list moves it.
  useLayoutEffect(() => {
    const measure = () => {
      if (list.current !== null) setTop(list.current.getBoundingClientRect().top + scrollY);
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const rows = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => estimate,
    getItemKey: (index) => {
      const item = items[index];
      return item === undefined ? index : keyOf(item);
    },
    scrollMargin: top,
    overscan: 12,
    // The row with the focus stays, however far it is scrolled away: a removed one would lose the focus.
    rangeExtractor: (range) => {
      const indexes = defaultRangeExtractor(range);
      const focused = document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
      const at = focused === undefined ? -1 : items.findIndex((item) => keyOf(item) === focused);
      return at === -1 || indexes.includes(at) ? indexes : [...indexes, at].sort((a, b) => a - b);
    },
  });
  return (
    <ul ref={list} className="relative" style={{ height: rows.getTotalSize() }}>
      {rows.getVirtualItems().map(({ index, start, key }) => {
        const item = items[index];
        if (item === undefined) return null;
        return (
          <li
            key={key}
            ref={rows.measureElement}
            data-index={index}
            data-row={keyOf(item)}
            aria-setsize={items.length}
            aria-posinset={index + 1}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${start - top}px)` }}
          >
            {children(item)}
          </li>
        );
      })}
    </ul>
  );
}
