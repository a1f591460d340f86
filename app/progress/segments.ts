import type { StepView } from "#server/api/views.ts";

/** The plan as it is drawn: the main line, and forks whose branches run side by side. */
export type Segment = { fork: null; step: StepView } | { fork: number; branches: StepView[][] };

export function segments(steps: readonly StepView[]): Segment[] {
  const line: Segment[] = [];
  for (const step of steps) {
    if (step.fork === null || step.branch === null) {
      line.push({ fork: null, step });
      continue;
    }
    let last = line.at(-1);
    if (last === undefined || last.fork !== step.fork) {
      last = { fork: step.fork, branches: [] };
      line.push(last);
    }
    if ("branches" in last) {
      const branch = last.branches[step.branch] ?? [];
      last.branches[step.branch] = [...branch, step];
    }
  }
  return line;
}

/** Steps that run at the same time as this one. */
export function companions(steps: readonly StepView[], step: StepView): StepView[] {
  return step.fork === null
    ? []
    : steps.filter((one) => one.fork === step.fork && one.branch !== step.branch);
}

const fallbackMs = 5000;
export const usual = (step: StepView): number => step.usualMs ?? fallbackMs;

/** The share of a step that is behind it, 0…1. A running one never claims to be done; of one left out there is nothing. */
export function share(step: StepView, now: number): number {
  if (step.state === "done") return 1;
  if (step.startedAt === null || ["waiting", "skipped", "cancelled"].includes(step.state)) return 0;
  const { index, total } = step.progress ?? {};
  if (index !== undefined && total !== undefined && total > 0)
    return Math.min(0.97, Math.max(0, index - 0.5) / total);
  return Math.min(0.95, ((step.endedAt ?? now) - step.startedAt) / usual(step));
}

/** Ms still to go by the median of earlier runs; undefined when too little is known. Branches count by the longest. */
export function timeLeft(steps: readonly StepView[], now: number): number | undefined {
  const open = steps.filter((step) => !step.undo && (step.state === "waiting" || step.state === "running"));
  if (open.some((step) => step.usualMs === null)) return undefined;
  const left = (step: StepView) =>
    step.state === "done"
      ? 0
      : Math.max(0, usual(step) - (step.startedAt === null ? 0 : now - step.startedAt));
  return segments(open).reduce(
    (sum, stretch) =>
      sum +
      ("branches" in stretch
        ? Math.max(
            0,
            ...stretch.branches.map((branch) => branch.reduce((total, step) => total + left(step), 0)),
          )
        : left(stretch.step)),
    0,
  );
}

/** "about 30 s left": to 5 s under a minute, to 15 s above. */
export function aboutLeft(ms: number): string {
  const seconds = ms / 1000;
  if (seconds <= 2) return "any moment now";
  const step = seconds < 60 ? 5 : 15;
  const rounded = Math.max(step, Math.ceil(seconds / step) * step);
  if (rounded < 60) return `about ${rounded} s left`;
  const minutes = Math.floor(rounded / 60);
  return `about ${minutes} min${rounded % 60 === 0 ? "" : ` ${rounded % 60} s`} left`;
}

/** "Step 3 of 6". */
export function position(steps: readonly StepView[]): string {
  const running = steps.findIndex((step) => step.state === "running");
  const done = steps.filter((step) => step.state === "done").length;
  return `Step ${Math.min(steps.length, (running === -1 ? done : running) + 1)} of ${steps.length}`;
}
