"use client";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import { clock } from "#app/time.ts";
import type { LogLine } from "#server/api/views.ts";
import { weight } from "./ansi.ts";

const lineHeight = 20;
/** Under the last line: room for the caret. */
const tail = 28;

type Props = {
  lines: LogLine[];
  begin: number;
  /** The line that the search stands on. */
  focus: number | undefined;
  words: string;
  /** More is to come. */
  open: boolean;
  following: boolean;
  onFollow: (following: boolean) => void;
};

/** What was said, line by line; only what is in sight is drawn. */
export function LogLines({ lines, begin, focus, words, open, following, onFollow }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const [seen, setSeen] = useState(0);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    getItemKey: useCallback((index: number) => lines[index]?.id ?? index, [lines]),
    estimateSize: () => lineHeight,
    overscan: 30,
    paddingEnd: tail,
    scrollPaddingEnd: tail,
  });
  const height = rows.getTotalSize();
  // The height is a reason of its own: a line that turns out to need two rows pushes the end out of sight.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above
  useEffect(() => {
    if (following && lines.length > 0) rows.scrollToIndex(lines.length - 1, { align: "end" });
  }, [rows, following, lines.length, height]);
  useEffect(() => {
    if (focus !== undefined) rows.scrollToIndex(focus, { align: "center" });
  }, [rows, focus]);
  useEffect(() => {
    if (following) setSeen(lines.length);
  }, [following, lines.length]);
  const fresh = lines.length - seen;
  return (
    <div className="relative min-h-80 grow max-md:min-h-0">
      <div
        ref={box}
        role="log"
        aria-live="off"
        aria-label="Lines"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="absolute inset-0 overflow-auto overscroll-contain py-3 font-mono text-sm -outline-offset-2"
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          // Only a hand scrolls upwards; the end moves away by itself while lines are measured.
          if (scrollHeight - scrollTop - clientHeight < 2 * lineHeight) onFollow(true);
          else if (scrollTop < lastTop.current) onFollow(false);
          lastTop.current = scrollTop;
        }}
      >
        {lines.length === 0 && (
          <p className="px-5 font-sans text-ink-3">{open ? "No output yet." : "No output."}</p>
        )}
        <div className="relative w-full" style={{ height }}>
          {rows.getVirtualItems().map(({ index, start, key }) => {
            const line = lines[index];
            if (line === undefined) return null;
            const set = weight(line.text);
            const colour = line.failed
              ? "text-bad-ink"
              : set === "heading"
                ? "font-medium text-ink"
                : set === "result"
                  ? "text-ink-3"
                  : "text-ink-2";
            const found = words !== "" && line.text.toLowerCase().includes(words);
            return (
              <div
                key={key}
                data-index={index}
                ref={rows.measureElement}
                className={`absolute inset-x-0 flex gap-4 px-5 ${set === "heading" && index > 0 ? "pt-1.5" : ""} ${index === focus ? "bg-warn-tint" : found ? "bg-hover" : ""}`}
                style={{ transform: `translateY(${start}px)` }}
              >
                <span className="w-10 shrink-0 text-ink-3 tabular-nums">{clock(line.at - begin)}</span>
                <span className={`min-w-0 break-words whitespace-pre-wrap ${colour}`}>{line.text}</span>
              </div>
            );
          })}
          {open && lines.length > 0 && (
            <span
              aria-hidden
              className="absolute bottom-2 left-[76px] h-4 w-2 animate-[blink_1s_steps(1)_infinite] bg-move"
            />
          )}
        </div>
      </div>
      {!following && fresh > 0 && (
        <button
          type="button"
          onClick={() => onFollow(true)}
          className="touch absolute right-5 bottom-4 inline-flex h-8 items-center gap-1.5 rounded-full bg-ink px-3 text-sm font-medium text-on-ink"
        >
          <ArrowDown size={14} aria-hidden />
          {fresh} new {fresh === 1 ? "line" : "lines"}
        </button>
      )}
    </div>
  );
}
