"use client";
import { useEffect, useState } from "react";

const rowAt = (target: EventTarget | null) =>
  target instanceof Element ? target.closest<HTMLElement>("[data-row]")?.dataset.row : undefined;

/** The rows (by `data-row`) that the pointer or the focus is on. Listens to the document: a row may vanish unheard. */
export function useHeldRows(): ReadonlySet<string> {
  const [held, setHeld] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    let pointer: string | undefined;
    let focus: string | undefined;
    const change = () => {
      const next = new Set([pointer, focus].filter((id) => id !== undefined));
      setHeld((now) => (now.size === next.size && [...next].every((id) => now.has(id)) ? now : next));
    };
    const over = (event: PointerEvent) => {
      // A finger leaves nothing where it was.
      pointer = event.pointerType === "touch" ? undefined : rowAt(event.target);
      change();
    };
    const out = (event: PointerEvent) => {
      if (event.relatedTarget !== null) return;
      pointer = undefined;
      change();
    };
    const focusIn = (event: FocusEvent) => {
      focus = rowAt(event.target);
      change();
    };
    const focusOut = (event: FocusEvent) => {
      if (event.relatedTarget !== null) return;
      focus = undefined;
      change();
    };
    const end = new AbortController();
    const { signal } = end;
    document.addEventListener("pointerover", over, { signal });
    document.addEventListener("pointerout", out, { signal });
    document.addEventListener("focusin", focusIn, { signal });
    document.addEventListener("focusout", focusOut, { signal });
    return () => end.abort();
  }, []);
  return held;
}
