import type { InstanceRow, OperationView, StepView } from "#server/api/views.ts";

/** A row of the list for tests: company and slug are its id. */
export const instanceRow = (
  id: string,
  status: InstanceRow["status"],
  operation: OperationView | null = null,
): InstanceRow => ({
  ...{ id, status, operation, company: id, slug: id, domain: "x.test", url: `http://${id}.x.test` },
  ...{ region: "fra1", size: "s-1vcpu-2gb", version: "1", priceMonthlyCents: 1200, createdAt: 0 },
  ...{ destroyedAt: null, answeredAt: null, answeredInMs: null, silentSince: null },
  ...{ isProtected: false, dropletId: 1, dropletGoneAt: null, lastGoodBackupAt: null, backupWarning: null },
  refusals: {},
});

/** A step as the page knows it, for tests: its label is its name. */
export const stepView = (name: string, over: Partial<StepView> = {}): StepView => ({
  ...{ name, label: name, fork: null, branch: null, undo: false, state: "waiting", attempts: 0 },
  ...{ startedAt: null, endedAt: null, progress: null, failure: null, usualMs: null, slowMs: null },
  ...over,
});

/** An operation as the page knows it, for tests. */
export const operationView = (
  id: string,
  state: OperationView["state"],
  steps: StepView[] = [],
): OperationView => ({
  ...{ id, state, steps, kind: "spawn", label: "Spawn", instanceId: "i1", createdBy: "joe", createdAt: 0 },
  ...{ endedAt: null, failure: null, cancelRequestedAt: null, canRetry: false },
  ...{ batchId: null, cancelling: "", aftermath: null, cancelRefusal: null },
});
