"use client";
import { useCallback, useSyncExternalStore } from "react";

/** Tailwind's `md`: below it is a phone. */
export const tabletUp = "(min-width: 48rem)";
/** Our `lg` (app/globals.css): from here the rail has its words and the log stands beside the steps. */
export const desktopUp = "(min-width: 73.75rem)";

/** Whether a media query holds now. True before the page is alive, as a desktop is. */
export function useMedia(query: string): boolean {
  const subscribe = useCallback(
    (changed: () => void) => {
      const media = matchMedia(query);
      media.addEventListener("change", changed);
      return () => media.removeEventListener("change", changed);
    },
    [query],
  );
  return useSyncExternalStore(
    subscribe,
    () => matchMedia(query).matches,
    () => true,
  );
}
