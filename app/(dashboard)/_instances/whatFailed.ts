import type { OperationView, StepView } from "#server/api/views.ts";

/** The step an operation failed at, and what Retry does. A way back that got stuck comes before what it was begun for. */
export function whatFailed(operation: Pick<OperationView, "steps" | "canRetry" | "cancelRequestedAt">): {
  step: StepView | undefined;
  retry: string;
} {
  const failed = operation.steps.filter((step) => step.state === "failed");
  const wentBack = operation.cancelRequestedAt === null && operation.steps.some((step) => step.undo);
  return {
    step: failed.find((step) => step.undo) ?? failed[0],
    retry: !operation.canRetry ? "" : wentBack ? "Retry starts over." : "Retry continues from this step.",
  };
}
