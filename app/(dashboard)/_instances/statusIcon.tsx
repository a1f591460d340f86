"use client";
import { useEffect } from "react";
import { isIn, total, useSummary } from "./useSummary.ts";

/** The colours of `globals.css`, which an icon in a tab cannot read, between their light and dark values. */
const dots = { bad: "#d9363e", warn: "#c9822b", move: "#2f7fe0" };

const icon = (colour: string) =>
  `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#59616b" stroke-width="2.4"><path d="M1 12h4c3 0 3-7 7-7s4 7 7 7h4M5 12c3 0 3 7 7 7s4-7 7-7"/><circle cx="18" cy="18" r="6" fill="${colour}" stroke="none"/></svg>`,
  )}`;

/** In the tab's icon a dot: something failed, does not answer, or is under way. None when all is well. */
export function StatusIcon() {
  const { sums = [] } = useSummary() ?? {};
  const dot = sums.some(({ status }) => status === "failed")
    ? dots.bad
    : sums.some(({ status }) => status === "unreachable")
      ? dots.warn
      : total(sums, isIn("underWay")).count > 0
        ? dots.move
        : undefined;
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
    if (link === null || dot === undefined) return;
    const plain = link.href;
    link.href = icon(dot);
    return () => {
      link.href = plain;
    };
  }, [dot]);
  return null;
}
