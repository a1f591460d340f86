import type {
  BackupPlan,
  BackupReason,
  BackupState,
  Failure,
  InstanceStatus,
  OperationKind,
  OperationState,
  StepProgress,
  StepState,
} from "#db/schema.ts";
import type { DriftAction, Finding } from "#server/drift/findings.ts";

export type { BackupPlan, BackupReason, DriftAction, Finding, InstanceStatus, OperationKind, StepState };

/** The shapes that leave the server. Shared with the page, so they hold data and nothing else. Times: Unix ms. */

/** Who does what nobody has clicked. */
export const spawnerItself = "Spawner";

/** Calls that one request may hold. */
export const maxCallsAtOnce = 20;

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
  /** What one click began together bears the same id. */
  batchId: string | null;
  /** What Cancel would undo, and what it would leave. */
  cancelling: string;
  /** What is true of it now that it was cancelled or has failed, and what costs money; null for any other. */
  aftermath: string | null;
  /** Why it cannot be cancelled now; null when it can. */
  cancelRefusal: string | null;
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
  /** When it last answered; null when it never has, or not been asked since its newest operation. */
  answeredAt: number | null;
  /** How long it took when it was first asked after a change of its status. */
  answeredInMs: number | null;
  silentSince: number | null;
  isProtected: boolean;
  /** Null before one is bought, and once it is destroyed. */
  dropletId: number | null;
  /** When it became certain that its droplet is gone at DigitalOcean; null while it is there. */
  dropletGoneAt: number | null;
  /** When the newest backup that was verified was taken. */
  lastGoodBackupAt: number | null;
  /** Why its backups want a look; null while they are as young as its plan says. */
  backupWarning: string | null;
  refusals: Refusals;
  /** The live operation, or the newest one; in the list only a live one has its steps and what is told beside them. */
  operation: OperationView | null;
};

/** So many at most are destroyed or backed up by one click: each is an operation that begins in the same moment. */
export const maxBulk = 500;
export const tooManyAtOnce = (count: number): string =>
  `${count} are selected. Select at most ${maxBulk} at once.`;

/** How many instances have a status, how many of them have a droplet, and what those cost a month. */
export type StatusSum = { status: InstanceStatus; count: number; droplets: number; monthlyCents: number };

export type InstanceDetail = InstanceRow & {
  contactName: string;
  contactEmail: string;
  ipAddress: string | null;
  snapshotAt: number | null;
  /** What Bring back would start from, and from when that is; null while there is nothing. */
  bringsBack: { from: "snapshot" | "backup"; at: number } | null;
  /** How many days what is kept of a destroyed instance is kept. */
  keepDestroyedDays: number;
  /** Of a destroyed instance: when what is kept of it is removed, and when it was. */
  keptUntil: number | null;
  purgedAt: number | null;
  backupPlan: BackupPlan;
  nextBackupAt: number | null;
  snapshots: { id: number; name: string; sizeGb: number; takenAt: number }[];
  backups: BackupSummary;
  /** Earlier addresses that still lead to it. */
  redirects: { url: string; until: number | null }[];
  /** The set of variables before the one in effect; null while there is none. */
  previousVariables: { set: number; variables: VariableView[] } | null;
  /** Secret values never leave the server: null. */
  variables: VariableView[];
  /** The newest operations, newest first; the others are read when somebody asks for them. */
  operations: OperationView[];
  hasOlderOperations: boolean;
  /** The newest of those others that failed and can still be taken up. */
  resumable: OperationView | null;
  /** Other instances that had this slug, newest first. */
  namesakes: { id: string; company: string; status: InstanceStatus; createdAt: number }[];
};

/** What there is of an instance's backups. */
export type BackupSummary = {
  count: number;
  good: number;
  goodBytes: number;
  newestGood: { bytes: number; takenAt: number; restoreTestedAt: number | null } | null;
};

/** How an instance answered within one hour; unknown: it was not asked. */
export type HourView = {
  /** When the hour began. */
  hour: number;
  state: "up" | "slow" | "down" | "unknown";
  medianMs: number | null;
};
/** How an instance answered in the last 24 hours, the earliest first, and when it did last. */
export type HealthView = { answeredAt: number | null; hours: HourView[] };

/** Where DigitalOcean and our records differ, and what can be done about it. */
export type DriftView = {
  key: string;
  finding: Finding;
  instance: {
    id: string;
    slug: string;
    company: string;
    status: InstanceStatus;
    /** Whether a snapshot or a good backup is left. */
    canBeBroughtBack: boolean;
  };
  monthlyCents: number;
  /** When it was first found. */
  foundAt: number;
  actions: DriftAction[];
  /** Why none of them can be taken now; null when they can. */
  refusal: string | null;
  /** What puts it right at this moment, or has failed to. */
  operation: {
    id: string;
    action: DriftAction;
    state: OperationState;
    userMessage: string | null;
  } | null;
};

/** The newest round of reconciliation; `failure`: why it failed. */
export type DriftCheckView = {
  checkedAt: number | null;
  failure: { at: number; userMessage: string } | null;
};

/** Why each operation can't start on an instance now, in a sentence. Operations that aren't listed can. */
export type Refusals = { [Kind in OperationKind]?: string };

export type VariableView = { name: string; value: string | null; secret: boolean; setAt: number };

export type BackupView = {
  id: string;
  instanceId: string;
  company: string;
  slug: string;
  reason: BackupReason;
  state: BackupState;
  bytes: number | null;
  version: string;
  files: number | null;
  counts: Record<string, number>;
  createdAt: number;
  takenAt: number | null;
  verifiedAt: number | null;
  restoreTestedAt: number | null;
  restoreTestedInMs: number | null;
  restoreTestFailure: string | null;
  /** What would be refused of its instance now, and why. */
  refusals: Refusals;
};

export type LogLine = { id: number; at: number; step: string; text: string; failed: boolean };

/**
 * One event as the browser gets it. Ids increase without gap over the whole system; a page is sent every change of
 * an instance and, of the logs, only the one of the operation it watches. `row` is the instance as it is after the event.
 */
export type LineEvent = { id: number; at: number; kind: "log"; operationId: string; line: LogLine };
/** Something about an instance has changed: its row as it is now. */
export type ChangeEvent = {
  id: number;
  at: number;
  kind: "instance" | "operation" | "step";
  row: InstanceRow;
};
/**
 * A change that concerns no single instance: a health round finished (`at`: when it began), DigitalOcean was compared with
 * our records, or a mail arrived in the outbox. It isn't stored, so it carries the id of the event before it.
 */
export type NewsEvent = { id: number; at: number; kind: "answers" | "drift" | "outbox" };
export type EventView = LineEvent | ChangeEvent | NewsEvent;
