"use client";
import { X } from "lucide-react";
import { type ReactNode, useEffect } from "react";
import { money } from "#app/time.ts";
import { isTyping } from "#app/ui/typing.ts";

/**
 * What is selected, what it costs a month, and what can be done with it (`children`). Esc clears.
 * `unseen`: how many of the rows the search or the filter hides.
 */
export function SelectionBar({
  count,
  monthlyCents,
  unseen,
  onClear,
  children,
}: {
  count: number;
  monthlyCents: number;
  unseen: number;
  onClear: () => void;
  children: ReactNode;
}) {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      // A dialog or a menu that closes has taken the key for itself; in a field it belongs to the field.
      if (event.key === "Escape" && !event.defaultPrevented && !isTyping(event)) onClear();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [onClear]);
  return (
    <section
      aria-label="Selection"
      className="fixed z-20 flex animate-[rise_180ms_cubic-bezier(.2,0,0,1)] items-center gap-2 rounded-[14px] bg-raised py-2 pr-2 pl-4 shadow-pop max-md:inset-x-3 max-md:bottom-19 md:bottom-6 md:left-1/2 md:ml-8 md:-translate-x-1/2 lg:ml-28"
    >
      <p role="status" className="mr-3 tabular-nums max-md:grow">
        <strong className="font-semibold whitespace-nowrap">{count} selected</strong>
        <span className="text-ink-2 max-md:block max-md:text-sm">
          {monthlyCents > 0 && (
            <>
              <span className="max-md:sr-only">, </span>
              <span className="whitespace-nowrap">{money(monthlyCents)} a month</span>
            </>
          )}
          {unseen > 0 && <span className="whitespace-nowrap">, {unseen} hidden</span>}
        </span>
      </p>
      {children}
      <button
        type="button"
        aria-label="Clear selection"
        onClick={onClear}
        className="touch inline-grid size-8 shrink-0 place-items-center rounded-[6px] text-ink-2 hover:bg-hover max-md:w-11"
      >
        <X size={16} strokeWidth={1.9} aria-hidden />
      </button>
    </section>
  );
}
