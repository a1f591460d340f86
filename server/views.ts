import type {
  Failure,
  InstanceStatus,
  OperationKind,
  OperationState,
  StepProgress,
  StepState,
} from "../db/schema.ts";

export type { InstanceStatus, OperationKind, StepState };

/** The shapes that leave the server. Shared with the page, so they hold data and nothing else. Times: Unix ms. */

export type StepView = {
  name: string;
  label: string;
  /** Steps of one fork run side by side, one lane per branch. */
  fork: number | null;
  branch: number | null;
  /** Runs only after Cancel. */
  undo: boolean;
  state: StepState;
  attempts: number;
  startedAt: number | null;
  endedAt: number | null;
  progress: StepProgress | null;
  failure: Failure | null;
  /** Median of the last runs in ms; null while there are fewer than three. */
  usualMs: number | null;
  /** 90th percentile of the last runs in ms. */
  slowMs: number | null;
};

export type OperationView = {
  id: string;
  kind: OperationKind;
  label: string;
  instanceId: string;
  state: OperationState;
  createdBy: string;
  createdAt: number;
  endedAt: number | null;
  failure: Failure | null;
  cancelRequestedAt: number | null;
  canCancel: boolean;
  canRetry: boolean;
  steps: StepView[];
};

export type InstanceRow = {
  id: string;
  company: string;
  slug: string;
  domain: string;
  url: string;
  status: InstanceStatus;
  region: string;
  size: string;
  version: string;
  priceMonthlyCents: number;
  createdAt: number;
  destroyedAt: number | null;
  answeredAt: number | null;
  answeredInMs: number | null;
  silentSince: number | null;
  /** The live operation, or the newest one. */
  operation: OperationView | null;
};

export type InstanceDetail = InstanceRow & {
  contactName: string;
  contactEmail: string;
  address: string | null;
  dropletId: number | null;
  snapshotAt: number | null;
  /** Secret values never leave the server: null. */
  variables: { name: string; value: string | null; secret: boolean; setAt: number }[];
  /** All operations, newest first. */
  operations: OperationView[];
  /** Other instances that had this slug, newest first. */
  namesakes: { id: string; company: string; status: InstanceStatus; createdAt: number }[];
  refusals: { destroy: string | null };
};

export type LogLine = { id: number; at: number; step: string; text: string; failed: boolean };

/**
 * One event as the browser gets it. Ids increase without gap over the whole system; a page is sent every change of
 * an instance and, of the logs, only the one of the operation it watches. `row` is the instance as it is after the event.
 */
export type EventView =
  | { id: number; at: number; kind: "log"; operationId: string; line: LogLine }
  | { id: number; at: number; kind: "instance" | "operation" | "step"; row: InstanceRow };
