"use client";
import type { ReactNode } from "react";
import { useNow } from "#app/time.ts";
import type { OperationView, StepView } from "#server/api/views.ts";
import { aboutLeft, position, segments, share, timeLeft, usual } from "./segments.ts";

const heights = { rail: 4, row: 6, page: 10 };

/** The line of an operation: one segment a step, as wide as it usually takes; steps at the same time share one. */
export function Track({
  operation,
  size,
  frozen = false,
}: {
  operation: OperationView;
  size: keyof typeof heights;
  frozen?: boolean;
}) {
  const runs = operation.state === "running" || operation.state === "cancelling";
  const now = useNow(runs ? 500 : 60_000, frozen || !runs);
  const steps = operation.steps.filter((step) => !step.undo);
  const left = timeLeft(steps, now);
  const height = heights[size];
  const text = `${position(steps)}${left === undefined || !runs ? "" : `, ${aboutLeft(left)}`}`;
  return (
    <div
      role="progressbar"
      aria-label={operation.label}
      aria-valuemin={0}
      aria-valuemax={steps.length}
      aria-valuenow={steps.filter((step) => step.state === "done").length}
      aria-valuetext={runs ? text : operation.state}
      className="flex w-full gap-1"
      style={{ height }}
    >
      <Segments steps={steps} height={height} weight={usual}>
        {(step) => <Segment step={step} now={now} state={operation.state} />}
      </Segments>
    </div>
  );
}

/** An operation that is over: as wide as its steps took. */
export function PastTrack({ operation }: { operation: OperationView }) {
  const steps = operation.steps.filter((step) => step.startedAt !== null);
  const height = heights.row;
  return (
    <div aria-hidden className="flex w-full gap-1" style={{ height }}>
      <Segments
        steps={steps}
        height={height}
        toScale
        weight={(step) => Math.max(1, (step.endedAt ?? 0) - (step.startedAt ?? 0))}
      >
        {(step) => (
          <div className={`h-full grow rounded-full ${step.state === "failed" ? "bg-bad" : "bg-ink-3"}`} />
        )}
      </Segments>
    </div>
  );
}

/** The line itself: a segment for each step, as wide as it weighs; those of a fork one above the other. */
function Segments({
  steps,
  height,
  weight,
  toScale = false,
  children,
}: {
  steps: readonly StepView[];
  height: number;
  weight: (step: StepView) => number;
  /** Whether a branch that weighs less than the other is shorter; else it fills its lane. */
  toScale?: boolean;
  children: (step: StepView) => ReactNode;
}) {
  const sum = (branch: StepView[]) => branch.reduce((total, step) => total + weight(step), 0);
  return segments(steps).map((stretch) =>
    "branches" in stretch ? (
      <div
        key={stretch.fork}
        className="flex min-w-1 flex-col justify-between"
        style={{ flexGrow: Math.max(...stretch.branches.map(sum)), flexBasis: 0 }}
      >
        {stretch.branches.map((branch) => (
          <div
            key={branch[0]?.name}
            className="flex gap-0.5"
            style={{ height: Math.max(2, Math.floor(height * 0.4)) }}
          >
            {branch.map((step) => (
              <div key={step.name} className="flex min-w-1" style={{ flexGrow: weight(step), flexBasis: 0 }}>
                {children(step)}
              </div>
            ))}
            {toScale && (
              <div style={{ flexGrow: Math.max(...stretch.branches.map(sum)) - sum(branch), flexBasis: 0 }} />
            )}
          </div>
        ))}
      </div>
    ) : (
      <div
        key={stretch.step.name}
        className="flex min-w-1"
        style={{ flexGrow: weight(stretch.step), flexBasis: 0 }}
      >
        {children(stretch.step)}
      </div>
    ),
  );
}

function Segment({ step, now, state }: { step: StepView; now: number; state: OperationView["state"] }) {
  const colour =
    step.state === "failed"
      ? "bg-bad"
      : state === "done"
        ? "bg-ok"
        : step.state === "running"
          ? "bg-move"
          : "bg-ink";
  return (
    <div className="h-full grow overflow-hidden rounded-full bg-line-2">
      <div
        className={`h-full rounded-full transition-[width,background-color] duration-500 ease-linear ${colour}`}
        style={{ width: `${share(step, now) * 100}%` }}
      />
    </div>
  );
}
