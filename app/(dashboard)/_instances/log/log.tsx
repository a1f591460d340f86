"use client";
import { ArrowDownToLine, Copy, Download, Pause, Play, Search } from "lucide-react";
import { useState } from "react";
import { clock } from "#app/time.ts";
import { useToast } from "#app/ui/toast.tsx";
import type { OperationView } from "#server/api/views.ts";
import { LogLines } from "./logLines.tsx";
import { LogTicks } from "./logTicks.tsx";
import { useLogLines } from "./useLogLines.ts";

/** The log of an operation, or of one of its steps: follows, pauses, is searched, copied and kept. */
export function Log({ operation, step }: { operation: OperationView; step: string | undefined }) {
  const all = useLogLines(operation, step);
  const say = useToast();
  const [paused, setPaused] = useState<number>();
  const [following, setFollowing] = useState(true);
  const [search, setSearch] = useState<string>();
  const [hit, setHit] = useState(0);
  const lines = paused === undefined ? all : all.filter((line) => line.id <= paused);
  const words = (search ?? "").toLowerCase();
  const hits =
    words === ""
      ? []
      : lines.flatMap((line, index) => (line.text.toLowerCase().includes(words) ? [index] : []));
  const label = operation.steps.find((one) => one.name === step)?.label ?? "All steps";
  const follows = following && paused === undefined;
  const isOver = operation.endedAt !== null;
  const text = () => all.map((line) => `${clock(line.at - operation.createdAt)} ${line.text}`).join("\n");
  const control =
    "touch inline-flex size-8 shrink-0 items-center justify-center rounded-[6px] text-ink-2 hover:bg-hover max-md:w-11";
  const icon = { size: 16, strokeWidth: 1.9, "aria-hidden": true } as const;

  async function copy() {
    try {
      await navigator.clipboard.writeText(text());
      say(all.length === 1 ? "Log copied, 1 line." : `Log copied, ${all.length} lines.`);
    } catch {
      // Refused, or not there at all where the page did not come over HTTPS.
      say("This browser doesn't allow copying. Download the log instead.");
    }
  }

  function download() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text()], { type: "text/plain" }));
    link.download = `${operation.id}.log`;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  return (
    <section aria-label="Log" className="flex min-h-0 min-w-0 grow flex-col bg-sunken">
      <div className="flex h-13 shrink-0 items-center gap-1 border-b border-line px-5 max-md:pr-2">
        <h2 className="mr-1 font-semibold">Log</h2>
        <span className="min-w-0 grow truncate text-ink-2">
          <span className="max-md:sr-only">{label}</span>
        </span>
        {!isOver && (
          <button
            type="button"
            aria-pressed={follows}
            className={`touch mr-1 inline-flex h-8 shrink-0 items-center gap-1.5 rounded-[6px] px-2.5 text-sm font-medium ${follows ? "bg-move-tint text-move-ink" : "text-ink-2 hover:bg-hover"}`}
            onClick={() => {
              setPaused(undefined);
              setFollowing(!follows);
            }}
          >
            <ArrowDownToLine size={15} strokeWidth={1.9} aria-hidden />
            <span className="max-[359px]:sr-only">Follow</span>
          </button>
        )}
        {/* A view that is paused when the operation ends stays so until it's resumed. */}
        {(!isOver || paused !== undefined) && (
          <button
            type="button"
            className={control}
            aria-label={paused === undefined ? "Pause" : "Resume"}
            onClick={() => setPaused(paused === undefined ? (all.at(-1)?.id ?? 0) : undefined)}
          >
            {paused === undefined ? <Pause {...icon} /> : <Play {...icon} />}
          </button>
        )}
        <button
          type="button"
          className={control}
          aria-label="Search the log"
          aria-expanded={search !== undefined}
          onClick={() => setSearch(search === undefined ? "" : undefined)}
        >
          <Search {...icon} />
        </button>
        <button type="button" className={control} aria-label="Copy the log" onClick={() => void copy()}>
          <Copy {...icon} />
        </button>
        <button type="button" className={control} aria-label="Download the log" onClick={download}>
          <Download {...icon} />
        </button>
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
              setFollowing(false);
            }}
            onKeyDown={(event) => {
              if (event.key === "Enter" && hits.length > 0)
                setHit((hit + (event.shiftKey ? hits.length - 1 : 1)) % hits.length);
              if (event.key === "Escape") {
                // The sheet around it stays.
                event.stopPropagation();
                setSearch(undefined);
              }
            }}
            className="touch h-8 min-w-0 grow rounded-[6px] border border-field bg-raised px-3 font-mono text-sm max-md:text-[16px]"
          />
          <span className="text-sm text-ink-2 tabular-nums" aria-live="polite">
            {words === "" ? "" : hits.length === 0 ? "No matches" : `${hit + 1} of ${hits.length}`}
          </span>
        </div>
      )}
      <LogTicks operation={operation} />
      <LogLines
        lines={lines}
        begin={operation.createdAt}
        focus={hits[hit]}
        words={words}
        open={!isOver && paused === undefined}
        following={follows}
        onFollow={setFollowing}
      />
      <p className="border-t border-line px-5 py-3 text-sm text-ink-2 tabular-nums">
        {lines.length === 1 ? "1 line" : `${lines.length} lines`}. Secrets are shown as ••••••.
      </p>
    </section>
  );
}
