"use client";
import { Check, ChevronsRight, Minus, X } from "lucide-react";
import { stepWords } from "#app/status.tsx";
import { duration, useNow, usualDuration } from "#app/time.ts";
import type { OperationView, StepView } from "#server/api/views.ts";
import { companions, segments, share } from "./segments.ts";

type Props = {
  operation: OperationView;
  frozen: boolean;
  selected: string | undefined;
  onSelect: (name: string) => void;
};

/** The steps of an operation, drawn from its plan: the line, its fork, and what each of them is doing. */
export function Steps({ operation, frozen, selected, onSelect }: Props) {
  const runs = operation.state === "running" || operation.state === "cancelling";
  const now = useNow(200, frozen || !runs);
  const { steps } = operation;
  const rows = segments(steps);
  return (
    <ol aria-label="Steps" className="grid grid-cols-2">
      {rows.flatMap((stretch, index) => {
        const last = index === rows.length - 1;
        if (!("branches" in stretch)) {
          const props = { step: stretch.step, all: steps, now, selected, onSelect };
          return [
            <li
              key={stretch.step.name}
              className="relative col-span-2 pb-5"
              aria-label={spoken(stretch.step, steps, now)}
            >
              {!last && (
                <Spine done={stretch.step.state === "done"} className="left-[10px] top-[22px] bottom-0" />
              )}
              <Line {...props} wide />
            </li>,
          ];
        }
        const joined = stretch.branches.every((branch) => branch.every((step) => step.state === "done"));
        return stretch.branches.flatMap((branch, lane) =>
          branch.map((step) => (
            <li
              key={step.name}
              className="relative pt-8 pb-14"
              style={{ gridColumn: lane + 1 }}
              aria-label={spoken(step, steps, now)}
            >
              <Fork lane={lane} step={step} first={branch[0] === step} joined={joined} />
              <Line {...{ step, all: steps, now, selected, onSelect }} />
            </li>
          )),
        );
      })}
    </ol>
  );
}

function Spine({ done, runs, className }: { done: boolean; runs?: boolean; className: string }) {
  const colour = done ? "bg-ink" : runs ? "bg-move" : "bg-line-2";
  return <span aria-hidden className={`absolute w-0.5 ${className} ${colour}`} />;
}

/** The line that leaves at a right angle, runs along the branch and comes back. */
function Fork({
  lane,
  step,
  first,
  joined,
}: {
  lane: number;
  step: StepView;
  first: boolean;
  /** Every branch has come to its end. */
  joined: boolean;
}) {
  const begun = step.state !== "waiting";
  const over = step.state === "done";
  const runs = step.state === "running";
  const edge = begun ? "border-ink" : "border-line-2";
  if (lane === 0)
    return (
      <>
        <Spine done={begun} className="left-[10px] top-0 h-8" />
        <Spine done={over} runs={runs} className="left-[10px] top-[54px] bottom-[38px]" />
        <Spine done={joined} className="left-[10px] bottom-0 h-[38px]" />
      </>
    );
  // The other lanes begin half the list to the right of the first one's spine.
  return (
    <span aria-hidden className="contents">
      {first && (
        <span
          className={`absolute -left-[calc(100%-10px)] right-[calc(100%-12px)] top-0 h-8 rounded-tr-[10px] border-t-2 border-r-2 ${edge}`}
        />
      )}
      <Spine done={over} runs={runs} className="left-[10px] top-[54px] bottom-[38px]" />
      <span
        className={`absolute -left-[calc(100%-10px)] right-[calc(100%-12px)] bottom-5 h-[18px] rounded-br-[10px] border-r-2 border-b-2 ${joined ? "border-ink" : "border-line-2"}`}
      />
    </span>
  );
}

type LineProps = {
  step: StepView;
  all: readonly StepView[];
  now: number;
  wide?: boolean;
  selected: string | undefined;
  onSelect: (name: string) => void;
};

function Line({ step, all, now, wide, selected, onSelect }: LineProps) {
  const { word, ink } = stepWords[step.state];
  const took = elapsed(step, now);
  const isOver = step.state === "done";
  const waits =
    isOver && companions(all, step).some((other) => other.state === "running" || other.state === "waiting");
  const quiet = step.state === "waiting" ? "text-ink-2" : "text-ink";
  return (
    <div className="relative flex gap-3.5">
      <Node step={step} now={now} />
      <button
        type="button"
        onClick={() => onSelect(step.name)}
        aria-pressed={selected === step.name}
        className="-mx-1.5 min-w-0 grow rounded-[6px] px-1.5 text-left hover:bg-hover"
      >
        <span className="flex items-baseline justify-between gap-3">
          <span className={`text-step font-medium ${quiet}`}>{step.label}</span>
          {wide && isOver && took !== null && (
            <span className="shrink-0 text-sm text-ink-3 tabular-nums">{duration(took)}</span>
          )}
        </span>
        <span className={`block text-sm tabular-nums ${ink}`}>
          {word}
          {took !== null && !(wide && isOver) && ` ${duration(took)}`}
          {step.state === "waiting" && step.usualMs !== null && `, ${usually(step.usualMs)}`}
        </span>
        {progressText(step) !== null && (
          <span className="block text-sm text-ink-3">{progressText(step)}</span>
        )}
        {step.state === "running" && step.usualMs !== null && (
          <span className="block text-sm text-ink-3">{usually(step.usualMs)}</span>
        )}
        {waits && <span className="block text-sm text-ink-3">Waiting for the other branch</span>}
      </button>
    </div>
  );
}

const usually = (ms: number) => `usually ${usualDuration(ms)}`;

function elapsed(step: StepView, now: number): number | null {
  if (step.startedAt === null || step.state === "waiting" || step.state === "skipped") return null;
  return (step.endedAt ?? now) - step.startedAt;
}

/** "task 7 of 12: Write the environment file", or how many go first. */
function progressText(step: StepView): string | null {
  const { progress } = step;
  if (progress === null || (step.state !== "running" && step.state !== "waiting" && step.state !== "failed"))
    return null;
  if (progress.ahead !== undefined) return `${progress.ahead} ahead in the queue`;
  if (progress.index !== undefined && progress.total !== undefined)
    return `task ${progress.index} of ${progress.total}: ${progress.label ?? ""}`;
  return step.state === "running" ? (progress.label ?? null) : null;
}

function spoken(step: StepView, all: readonly StepView[], now: number): string {
  const took = elapsed(step, now);
  const others = companions(all, step).map((other) => other.label);
  return [
    step.label,
    stepWords[step.state].word,
    took === null ? null : duration(took),
    progressText(step),
    others.length === 0 ? null : `at the same time as ${others.join(", ")}`,
  ]
    .filter((part) => part !== null)
    .join(", ");
}

function Node({ step, now }: { step: StepView; now: number }) {
  const shape = "relative z-10 flex size-[22px] shrink-0 items-center justify-center rounded-full";
  const icon = { size: 14, strokeWidth: 2.4, "aria-hidden": true } as const;
  switch (step.state) {
    case "done":
      return (
        <span className={`${shape} bg-ink text-on-ink`}>
          <Check {...icon} />
        </span>
      );
    case "failed":
      return (
        <span className={`${shape} bg-bad text-on-bad`}>
          <X {...icon} />
        </span>
      );
    case "running":
      return (
        <span className={`${shape} bg-paper`}>
          <svg viewBox="0 0 22 22" className="absolute inset-0 -rotate-90" aria-hidden>
            <circle cx="11" cy="11" r="9.5" className="fill-none stroke-line-2" strokeWidth="3" />
            <circle
              cx="11"
              cy="11"
              r="9.5"
              className="fill-none stroke-move transition-[stroke-dashoffset] duration-500"
              strokeWidth="3"
              strokeDasharray={59.7}
              strokeDashoffset={59.7 * (1 - Math.max(0.04, share(step, now)))}
            />
          </svg>
          <span className="size-2 rounded-full bg-move" />
        </span>
      );
    case "skipped":
      return (
        <span className={`${shape} border-2 border-line-2 bg-paper text-ink-3`}>
          <ChevronsRight {...icon} />
        </span>
      );
    case "cancelled":
      return (
        <span className={`${shape} border-2 border-field bg-paper text-ink-3`}>
          <Minus {...icon} />
        </span>
      );
    case "waiting":
      return <span className={`${shape} border-2 border-dashed border-field bg-paper`} />;
  }
}
