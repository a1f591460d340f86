"use client";
import { type RefCallback, useCallback, useEffect, useRef } from "react";

/** How far below what is in sight the mark counts as reached, px: what comes next is there before anybody gets to it. */
const ahead = 1200;

/** Calls `then` when the page has been scrolled near to the element with this ref, and again while it stays near as `length` grows. */
export function useReached(then: () => void, length: number): RefCallback<HTMLElement> {
  const latest = useRef(then);
  const isNear = useRef(false);
  useEffect(() => {
    latest.current = then;
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: what has grown may not have pushed the mark away.
  useEffect(() => {
    if (isNear.current) latest.current();
  }, [length]);
  return useCallback((element) => {
    if (element === null) return;
    const observer = new IntersectionObserver(
      (entries) => {
        isNear.current = entries.at(-1)?.isIntersecting === true;
        if (isNear.current) latest.current();
      },
      { rootMargin: `0px 0px ${ahead}px` },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
}
