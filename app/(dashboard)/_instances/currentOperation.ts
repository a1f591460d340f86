import type { OperationView } from "#server/api/views.ts";

type Listed = Pick<OperationView, "state" | "canRetry">;

/**
 * What the page and its Cancel and Retry are about, of an instance's operations, newest first: what runs or was not
 * done, else what failed before and can still be taken up again (a nightly backup since does not hide it).
 */
export function currentOperation<Operation extends Listed>(
  operations: readonly Operation[],
): Operation | undefined {
  const newest = operations[0];
  if (newest === undefined || newest.state !== "done") return newest;
  return operations.find((operation) => operation.state === "failed" && operation.canRetry);
}
