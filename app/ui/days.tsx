"use client";
import type { ReactNode } from "react";
import { day, useNow } from "#app/time.ts";
import { manyRows, Rows } from "./rows.tsx";

type Props<Item> = {
  /** Newest first. */
  items: readonly Item[];
  keyOf: (item: Item) => string;
  /** When it was, in Unix ms. */
  atOf: (item: Item) => number;
  /** How high a row usually is, in px. */
  estimate: number;
  children: (item: Item) => ReactNode;
};

/** A list under the day of each item. */
export function Days<Item>({ items, keyOf, atOf, estimate, children }: Props<Item>) {
  const today = day(useNow(30_000));
  const days = Map.groupBy(items, (item) => day(atOf(item)));
  return [...days].map(([title, list]) => (
    <section key={title} aria-label={title} className="mt-6 first:mt-0">
      <h2 className="border-b border-line pb-2 text-sm font-semibold">{title === today ? "Today" : title}</h2>
      <Rows items={list} keyOf={keyOf} estimate={estimate} virtual={items.length > manyRows}>
        {children}
      </Rows>
    </section>
  ));
}
