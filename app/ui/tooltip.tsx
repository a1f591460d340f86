"use client";
import { type ReactNode, useEffect, useRef, useState } from "react";

/** How long the pointer must rest before the text appears, in ms. */
const restMs = 200;

const places = {
  top: "[position-area:top] [position-try-fallbacks:flip-block]",
  right: "[position-area:right] [position-try-fallbacks:flip-inline]",
};

/**
 * Shows a text beside its child on hover and on keyboard focus; Escape hides it. It's hidden from screen readers, so the
 * child's accessible name or description must say the same.
 */
export function Tooltip({
  text,
  side = "top",
  children,
}: {
  /** Without one nothing shows. */
  text: string | undefined;
  side?: keyof typeof places;
  children: ReactNode;
}) {
  const around = useRef<HTMLSpanElement>(null);
  const tip = useRef<HTMLSpanElement>(null);
  const rest = useRef<ReturnType<typeof setTimeout>>(undefined);
  const [wanted, setWanted] = useState(false);
  const open = wanted && text !== undefined;
  const close = () => {
    clearTimeout(rest.current);
    setWanted(false);
  };
  useEffect(() => () => clearTimeout(rest.current), []);
  useEffect(() => {
    if (!open) return;
    const child = around.current?.firstElementChild;
    tip.current?.showPopover(child instanceof HTMLElement ? { source: child } : {});
    const closeByKey = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      // Keeps a surrounding dialog open.
      event.stopPropagation();
      setWanted(false);
    };
    window.addEventListener("keydown", closeByKey, { capture: true });
    return () => window.removeEventListener("keydown", closeByKey, { capture: true });
  }, [open]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it has no box and only listens to its child's events
    <span
      ref={around}
      className="contents"
      onPointerEnter={(event) => {
        if (event.pointerType !== "touch") rest.current = setTimeout(() => setWanted(true), restMs);
      }}
      onPointerLeave={close}
      onPointerDown={close}
      onFocus={(event) => event.target.matches(":focus-visible") && setWanted(true)}
      onBlur={close}
    >
      {children}
      {open && (
        <span
          ref={tip}
          popover="hint"
          aria-hidden
          onToggle={(event) => event.newState === "closed" && setWanted(false)}
          // The padding lets the pointer cross from the child to the text without leaving either.
          className={`inset-auto border-0 bg-transparent p-1.5 ${places[side]}`}
        >
          <span className="block max-w-72 rounded-[6px] bg-ink px-2.5 py-1.5 text-sm text-on-ink">
            {text}
          </span>
        </span>
      )}
    </span>
  );
}
