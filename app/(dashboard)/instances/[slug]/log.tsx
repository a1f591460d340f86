"use client";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ChevronUp, Copy, Download, Pause, Play, Search, X } from "lucide-react";
import { Dialog as Sheet } from "radix-ui";
import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import type { LogLine, OperationView } from "../../../../server/views.ts";
import { foldLog } from "../../../fold.ts";
import { useLive } from "../../../live.tsx";
import { clock } from "../../../time.ts";
import { useTRPC } from "../../../trpc.tsx";
import { plain, weight } from "./ansi.ts";

const lineHeight = 20;

type Props = { operation: OperationView; step: string | undefined };

/** The log beside its operation; on a phone a bar with its last line, which opens the whole of it. */
export function Log(props: Props) {
  const isPhone = useIsPhone();
  const lines = useLines(props.operation);
  const [isOpen, setOpen] = useState(false);
  if (!isPhone)
    return (
      <section
        aria-label="Log"
        className="flex min-w-0 grow flex-col border-line bg-sunken max-desk:border-t desk:sticky desk:top-0 desk:h-dvh desk:border-l"
      >
        <Whole {...props} lines={lines} />
      </section>
    );
  return (
    <section aria-label="Log" className="sticky bottom-16 z-20 mt-auto border-t border-line bg-sunken">
      <Sheet.Root open={isOpen} onOpenChange={setOpen}>
        <Sheet.Trigger className="flex min-h-13 w-full items-center gap-3 px-4 text-left">
          <span className="font-semibold">Log</span>
          <span className="min-w-0 grow truncate font-mono text-sm text-ink-2">
            {lines.at(-1)?.text ?? "Nothing has been said yet."}
          </span>
          <ChevronUp size={16} strokeWidth={1.9} aria-hidden />
        </Sheet.Trigger>
        <Sheet.Portal>
          <Sheet.Content
            aria-describedby={undefined}
            className="fixed inset-0 z-50 flex flex-col bg-sunken outline-none"
          >
            <Sheet.Title className="sr-only">Log</Sheet.Title>
            <Whole {...props} lines={lines} onClose={() => setOpen(false)} />
          </Sheet.Content>
        </Sheet.Portal>
      </Sheet.Root>
    </section>
  );
}

const phone = "(max-width: 767px)";

function useIsPhone(): boolean {
  return useSyncExternalStore(
    (changed) => {
      const query = matchMedia(phone);
      query.addEventListener("change", changed);
      return () => query.removeEventListener("change", changed);
    },
    () => matchMedia(phone).matches,
    () => false,
  );
}

/** All lines of the operation as they come, without what only a terminal needs. */
function useLines(operation: OperationView): LogLine[] {
  const trpc = useTRPC();
  const { events } = useLive();
  const query = useQuery(trpc.operations.log.queryOptions({ operationId: operation.id }));
  return useMemo(() => {
    const lines = query.data === undefined ? [] : foldLog(query.data, events, operation.id);
    // Ansible's empty lines only set its headings apart; here weight and colour do.
    return lines
      .map((line) => ({ ...line, text: plain(line.text) }))
      .filter((line) => line.text.trim() !== "");
  }, [query.data, events, operation.id]);
}

/** The log of an operation, or of one of its steps: follows, pauses, is searched, copied and kept. */
function Whole({ operation, step, lines: all, onClose }: Props & { lines: LogLine[]; onClose?: () => void }) {
  const [paused, setPaused] = useState<number>();
  const [search, setSearch] = useState<string>();
  const [hit, setHit] = useState(0);
  const ofStep = all.filter((line) => step === undefined || line.step === step);
  const lines = paused === undefined ? ofStep : ofStep.filter((line) => line.id <= paused);
  const words = (search ?? "").toLowerCase();
  const hits =
    words === ""
      ? []
      : lines.flatMap((line, index) => (line.text.toLowerCase().includes(words) ? [index] : []));
  const label = operation.steps.find((one) => one.name === step)?.label ?? "All steps";
  const task = operation.steps.find(
    (one) => one.progress?.total !== undefined && (one.state === "running" || one.state === "failed"),
  );
  const text = () => lines.map((line) => `${clock(line.at - operation.createdAt)} ${line.text}`).join("\n");
  const control =
    "touch inline-flex size-8 items-center justify-center rounded-[6px] text-ink-2 hover:bg-hover max-md:w-11";
  const icon = { size: 16, strokeWidth: 1.9, "aria-hidden": true } as const;

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "text/plain" }));
    link.download = `${operation.id}.log`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  return (
    <>
      <div className="flex h-13 items-center gap-1 border-b border-line px-5">
        <h2 className="mr-2 font-semibold">Log</h2>
        <span className="min-w-0 grow truncate text-ink-2">{label}</span>
        <button
          type="button"
          className={control}
          aria-label={paused === undefined ? "Pause" : "Go on"}
          onClick={() => setPaused(paused === undefined ? (all.at(-1)?.id ?? 0) : undefined)}
        >
          {paused === undefined ? <Pause {...icon} /> : <Play {...icon} />}
        </button>
        <button
          type="button"
          className={control}
          aria-label="Search the log"
          aria-expanded={search !== undefined}
          onClick={() => setSearch(search === undefined ? "" : undefined)}
        >
          <Search {...icon} />
        </button>
        <button
          type="button"
          className={control}
          aria-label="Copy the log"
          onClick={() => void navigator.clipboard.writeText(text())}
        >
          <Copy {...icon} />
        </button>
        <button type="button" className={control} aria-label="Download the log" onClick={download}>
          <Download {...icon} />
        </button>
        {onClose !== undefined && (
          <button type="button" className={control} aria-label="Close the log" onClick={onClose}>
            <X {...icon} />
          </button>
        )}
      </div>
      {search !== undefined && (
        <div className="flex items-center gap-3 border-b border-line px-5 py-2">
          <input
            aria-label="Find in the log"
            // biome-ignore lint/a11y/noAutofocus: the person has just asked for this field
            autoFocus
            value={search}
            onChange={(event) => {
              setSearch(event.target.value);
              setHit(0);
            }}
            onKeyDown={(event) => {
              if (event.key === "Enter" && hits.length > 0)
                setHit((hit + (event.shiftKey ? hits.length - 1 : 1)) % hits.length);
              if (event.key === "Escape") setSearch(undefined);
            }}
            className="h-8 grow rounded-[6px] border border-field bg-raised px-3 font-mono text-sm max-md:text-[16px]"
          />
          <span className="text-sm text-ink-2 tabular-nums" aria-live="polite">
            {words === "" ? "" : hits.length === 0 ? "nothing" : `${hit + 1} of ${hits.length}`}
          </span>
        </div>
      )}
      {task?.progress?.total !== undefined && (
        <Ticks
          index={task.progress.index ?? 0}
          total={task.progress.total}
          label={task.progress.label ?? ""}
          failed={task.state === "failed"}
        />
      )}
      <Lines
        lines={lines}
        begin={operation.createdAt}
        focus={hits[hit]}
        words={words}
        paused={paused !== undefined}
      />
      <p className="border-t border-line px-5 py-3 text-sm text-ink-2 tabular-nums">
        {lines.length === 1 ? "1 line" : `${lines.length} lines`}. Secrets read ••••••.
      </p>
    </>
  );
}

function Ticks({
  index,
  total,
  label,
  failed,
}: {
  index: number;
  total: number;
  label: string;
  failed: boolean;
}) {
  return (
    <div className="border-b border-line px-5 py-3">
      <p className="mb-2 text-sm">
        <strong className="font-semibold">
          Task {index} of {total}
        </strong>{" "}
        <span className="text-ink-2">{label}</span>
      </p>
      <div className="flex gap-1" aria-hidden>
        {Array.from({ length: total }, (_, at) => (
          <span
            // biome-ignore lint/suspicious/noArrayIndexKey: nothing but shape
            key={at}
            className={`h-1 grow rounded-full ${at + 1 < index ? "bg-ink" : at + 1 === index ? (failed ? "bg-bad" : "bg-move") : "bg-line-2"}`}
          />
        ))}
      </div>
    </div>
  );
}

type LinesProps = {
  lines: LogLine[];
  begin: number;
  focus: number | undefined;
  words: string;
  paused: boolean;
};

function Lines({ lines, begin, focus, words, paused }: LinesProps) {
  const box = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [seen, setSeen] = useState(0);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => lineHeight,
    overscan: 30,
  });
  useEffect(() => {
    if (following && !paused && lines.length > 0) rows.scrollToIndex(lines.length - 1, { align: "end" });
  }, [rows, following, paused, lines.length]);
  useEffect(() => {
    if (focus !== undefined) rows.scrollToIndex(focus, { align: "center" });
  }, [rows, focus]);
  return (
    <div className="relative min-h-80 grow">
      <div
        ref={box}
        role="log"
        aria-live="off"
        aria-label="Lines"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        tabIndex={0}
        className="absolute inset-0 overflow-auto py-3 font-mono text-sm"
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          const atEnd = scrollHeight - scrollTop - clientHeight < 2 * lineHeight;
          setFollowing(atEnd);
          if (atEnd) setSeen(lines.length);
        }}
      >
        {lines.length === 0 && <p className="px-5 font-sans text-ink-3">Nothing has been said yet.</p>}
        <div className="relative w-full" style={{ height: rows.getTotalSize() }}>
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
                className={`absolute inset-x-0 flex gap-4 px-5 ${index === focus ? "bg-warn-tint" : found ? "bg-hover" : ""}`}
                style={{ transform: `translateY(${start}px)` }}
              >
                <span className="w-10 shrink-0 text-right text-ink-3 tabular-nums">
                  {clock(line.at - begin)}
                </span>
                <span className={`min-w-0 break-words whitespace-pre-wrap ${colour}`}>
                  {line.text || " "}
                </span>
              </div>
            );
          })}
        </div>
      </div>
      {!following && (
        <button
          type="button"
          onClick={() => setFollowing(true)}
          className="touch absolute right-5 bottom-4 inline-flex h-8 items-center gap-1.5 rounded-full bg-ink px-3 text-sm font-medium text-on-ink"
        >
          <ArrowDown size={14} aria-hidden />
          {lines.length > seen
            ? `${lines.length - seen} new ${lines.length - seen === 1 ? "line" : "lines"}`
            : "Follow"}
        </button>
      )}
    </div>
  );
}
