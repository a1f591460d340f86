"use client";
import { defaultRangeExtractor, useWindowVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useLayoutEffect, useRef, useState } from "react";

export type RowsInSightProps = {
  keys: readonly string[];
  /** Typical row height, in px. */
  estimate: number;
  children: (index: number) => ReactNode;
};

/** A virtual list: only the rows in view, and a few around them. */
export function RowsInSight({ keys, estimate, children }: RowsInSightProps) {
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  // Anything that grows or shrinks above the list moves it.
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
    count: keys.length,
    estimateSize: () => estimate,
    getItemKey: (index) => keys[index] ?? index,
    scrollMargin: top,
    overscan: 12,
    // Keep the focused row however far away it is: removing it would lose the focus.
    rangeExtractor: (range) => {
      const indexes = defaultRangeExtractor(range);
      const focused = document.activeElement?.closest<HTMLElement>("[data-row]")?.dataset.row;
      const at = focused === undefined ? -1 : keys.indexOf(focused);
      return at === -1 || indexes.includes(at) ? indexes : [...indexes, at].sort((a, b) => a - b);
    },
  });
  return (
    <ul ref={list} className="relative" style={{ height: rows.getTotalSize() }}>
      {rows.getVirtualItems().map(({ index, start, key }) => (
        <li
          key={key}
          ref={rows.measureElement}
          data-index={index}
          data-row={keys[index]}
          aria-setsize={keys.length}
          aria-posinset={index + 1}
          className="absolute inset-x-0 top-0"
          style={{ transform: `translateY(${start - top}px)` }}
        >
          {children(index)}
        </li>
      ))}
    </ul>
  );
}
