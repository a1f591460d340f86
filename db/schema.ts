import { sql } from "drizzle-orm";
import {
  blob,
  index,
  integer,
  primaryKey,
  real,
  sqliteTable,
  text,
  uniqueIndex,
} from "drizzle-orm/sqlite-core";
import { rankExpression } from "./listOrder.ts";

/** Every time in this schema is a Unix time in milliseconds. */
const time = (name: string) => integer(name);
/** Milliseconds by the clock that only grows: see server/clock.ts. Never compared with a time. */
const monotonic = (name: string) => integer(name);
/** The order in which a table's rows were made: the wall clock can be set back. */
const sequence = () => integer().notNull().default(0);

export const instanceStatuses = [
  "spawning",
  "running",
  "backing-up",
  "restoring",
  "updating",
  "destroying",
  "destroyed",
  "failed",
  "unreachable",
  "off",
] as const;
export type InstanceStatus = (typeof instanceStatuses)[number];

export const operationStates = ["running", "cancelling", "done", "failed", "cancelled"] as const;
export type OperationState = (typeof operationStates)[number];

export const stepStates = ["waiting", "running", "done", "failed", "skipped", "cancelled"] as const;
export type StepState = (typeof stepStates)[number];

export const operationKinds = [
  "spawn",
  "destroy",
  "bring-back",
  "backup",
  "restore",
  "restore-as-new",
  "test-restore",
  "change-address",
  "edit-variables",
  "rename",
  "restart",
  "power-off",
  "power-on",
  "resize",
  "upgrade",
  "purge",
  /** Began no more: what it did, "delete-orphan" does. */
  "remove-orphaned-droplet",
  "adopt-droplet",
  "adopt-snapshot",
  "repair-drift",
  "delete-orphan",
] as const;
export type OperationKind = (typeof operationKinds)[number];

export type JsonObject = { [name: string]: unknown };

export const users = sqliteTable("users", {
  id: text().primaryKey(),
  email: text().notNull().unique(),
  name: text().notNull(),
  passwordHash: text("password_hash").notNull(),
  createdAt: time("created_at").notNull(),
});

export const sessions = sqliteTable(
  "sessions",
  {
    id: text().primaryKey(),
    userId: text("user_id")
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    createdAt: time("created_at").notNull(),
    expiresAt: time("expires_at").notNull(),
    revokedAt: time("revoked_at"),
  },
  (table) => [index("sessions_by_user").on(table.userId)],
);

/** Failed sign-ins, counted per account and per address to throttle guessing. */
export const signInFailures = sqliteTable(
  "sign_in_failures",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    key: text().notNull(),
    at: time("at").notNull(),
  },
  (table) => [index("sign_in_failures_by_key").on(table.key, table.at)],
);

/** When backups of an instance are made, and which of them are kept. */
export type BackupPlan = {
  every: "never" | "day" | "week";
  /** "HH:MM" in `timeZone`. */
  at: string;
  /** 0 is Sunday; for every week. */
  weekday: number;
  timeZone: string;
  keepCount: number;
  keepDays: number;
  testRestoreEvery: "never" | "week" | "month";
  /** When it was chosen; 0 for the default. */
  setAt: number;
};
export const noBackupPlan: BackupPlan = {
  every: "never",
  at: "03:00",
  weekday: 0,
  timeZone: "Europe/Berlin",
  keepCount: 14,
  keepDays: 60,
  testRestoreEvery: "never",
  setAt: 0,
};

export const instances = sqliteTable(
  "instances",
  {
    id: text().primaryKey(),
    /** Made once for each press of the button that made it, and a digest of what was asked for (see idempotency.ts). */
    idempotencyKey: text("idempotency_key").notNull().unique(),
    idempotencyDigest: text("idempotency_digest"),
    company: text().notNull(),
    /** What the company is sorted and searched by: see listOrder.ts. */
    sortName: text("sort_name").notNull().default(""),
    searchName: text("search_name").notNull().default(""),
    contactName: text("contact_name").notNull(),
    contactEmail: text("contact_email").notNull(),
    slug: text().notNull(),
    domain: text().notNull(),
    region: text().notNull(),
    size: text().notNull(),
    priceMonthlyCents: integer("price_monthly_cents").notNull(),
    version: text().notNull(),
    status: text({ enum: instanceStatuses }).notNull(),
    dropletId: integer("droplet_id"),
    ipAddress: text("ip_address"),
    hostKey: text("host_key"),
    /** The DigitalOcean team (its account's uuid) that the droplet was bought with; null while it was never noted. */
    accountId: text("account_id"),
    /** Since when its droplet is missing at DigitalOcean, and when that became certain. Null while it is there. */
    dropletMissingSince: monotonic("droplet_missing_since"),
    dropletGoneAt: time("droplet_gone_at"),
    createdBy: text("created_by").notNull(),
    createdAt: time("created_at").notNull(),
    destroyedAt: time("destroyed_at"),
    /**
     * When its droplet answered at the instance's own URL, and in how many milliseconds. Null: never. Rounds that find
     * nothing new don't write them; for the last answer see server/instances/healthHistory.ts.
     */
    answeredAt: time("answered_at"),
    answeredInMs: integer("answered_in_ms"),
    silentSince: time("silent_since"),
    /** The newest snapshot: what Bring back starts from. */
    snapshotId: integer("snapshot_id"),
    snapshotAt: time("snapshot_at"),
    /** Which of its sets of variables is in effect. */
    variableSet: integer("variable_set").notNull().default(1),
    /** Destroy is refused while it is set. */
    isProtected: integer("is_protected", { mode: "boolean" }).notNull().default(false),
    /** Of a destroyed instance: when its snapshots and backups are removed, and when they were. */
    keptUntil: time("kept_until"),
    purgedAt: time("purged_at"),
    /** When backups are made and how long they are kept. */
    backupPlan: text("backup_plan", { mode: "json" }).$type<BackupPlan>().notNull().default(noBackupPlan),
    nextBackupAt: time("next_backup_at"),
    nextRestoreTestAt: time("next_restore_test_at"),
  },
  (table) => [
    uniqueIndex("instances_live_address").on(table.slug, table.domain).where(sql`destroyed_at is null`),
    index("instances_by_slug").on(table.slug, table.createdAt),
    index("instances_by_group").on(sql.raw(rankExpression), table.sortName, table.id),
    index("instances_by_status").on(table.status, table.sortName, table.id),
    index("instances_next_backup").on(table.nextBackupAt),
    index("instances_next_restore_test").on(table.nextRestoreTestAt),
    index("instances_sums").on(table.status, table.dropletId, table.dropletGoneAt, table.priceMonthlyCents),
  ],
);

/** How an instance answered in one hour, a row per hour that it was asked in. Kept for 90 days. */
export const healthHours = sqliteTable(
  "health_hours",
  {
    instanceId: text("instance_id")
      .notNull()
      .references(() => instances.id),
    /** When the hour began. */
    hour: time("hour").notNull(),
    /** How often it answered in good time, late, and not at all. */
    up: integer().notNull(),
    slow: integer().notNull(),
    down: integer().notNull(),
    /** Null when it never answered. */
    medianMs: integer("median_ms"),
    /** What the median is computed from, so that two parts of an hour can be added up. */
    histogram: text({ mode: "json" }).$type<Histogram>().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.instanceId, table.hour] }),
    index("health_hours_by_hour").on(table.hour),
  ],
);

/** How many answers took how long: see server/instances/healthHistory.ts. */
export type Histogram = { [bin: string]: number };

export const variables = sqliteTable(
  "variables",
  {
    instanceId: text("instance_id")
      .notNull()
      .references(() => instances.id, { onDelete: "cascade" }),
    /** Every edit makes a new set, so that the one before can be put back. */
    set: integer().notNull().default(1),
    name: text().notNull(),
    /** Plain text, or for a secret the sealed form of server/secrets.ts. */
    value: text().notNull(),
    secret: integer({ mode: "boolean" }).notNull(),
    /** The Spawner made it (ADMIN_KEY): kept out of Joe's list. */
    system: integer({ mode: "boolean" }).notNull().default(false),
    position: integer().notNull(),
    setAt: time("set_at").notNull(),
  },
  (table) => [primaryKey({ columns: [table.instanceId, table.set, table.name] })],
);

export const operations = sqliteTable(
  "operations",
  {
    id: text().primaryKey(),
    sequence: sequence(),
    instanceId: text("instance_id")
      .notNull()
      .references(() => instances.id),
    kind: text({ enum: operationKinds }).notNull(),
    state: text({ enum: operationStates }).notNull(),
    mutating: integer({ mode: "boolean" }).notNull().default(true),
    /** How often Retry was pressed: part of the key of whatever must happen once per try. */
    round: integer().notNull().default(0),
    facts: text({ mode: "json" }).$type<JsonObject>().notNull(),
    failure: text({ mode: "json" }).$type<Failure>(),
    /** The instance's status when it began: what it goes back to when the operation changed nothing. */
    statusBefore: text("status_before", { enum: instanceStatuses }).notNull().default("running"),
    /** Operations that one click began together. */
    batchId: text("batch_id"),
    createdBy: text("created_by").notNull(),
    createdAt: time("created_at").notNull(),
    endedAt: time("ended_at"),
    cancelRequestedAt: time("cancel_requested_at"),
    /** When the lines of its log moved into `packedLogs`. */
    logPackedAt: time("log_packed_at"),
  },
  (table) => [
    uniqueIndex("operations_one_live")
      .on(table.instanceId)
      .where(sql`mutating = 1 and state in ('running', 'cancelling')`),
    index("operations_by_sequence").on(table.sequence),
    index("operations_by_instance").on(table.instanceId, table.sequence),
    index("operations_by_state").on(table.state),
    index("operations_by_batch").on(table.batchId),
    index("operations_to_pack").on(table.endedAt).where(sql`log_packed_at is null and ended_at is not null`),
    index("operations_by_kind").on(table.kind, table.state, table.endedAt),
    index("operations_by_instance_kind").on(table.instanceId, table.kind, table.state),
    index("operations_failed").on(table.instanceId, table.sequence).where(sql`state = 'failed'`),
  ],
);

/** What Joe reads about a failure, and the technical detail one click deeper. */
export type Failure = { userMessage: string; detail: string };
/** How far a running step is: counted tasks, or how many wait before it. */
export type StepProgress = { index?: number; total?: number; label?: string; ahead?: number };

export const steps = sqliteTable(
  "steps",
  {
    operationId: text("operation_id")
      .notNull()
      .references(() => operations.id),
    name: text().notNull(),
    label: text().notNull(),
    position: integer().notNull(),
    /** Which fork the step belongs to, and which of its branches; null on the main line. */
    fork: integer(),
    branch: integer(),
    /** True for a step that only a cancelled operation runs. */
    undo: integer({ mode: "boolean" }).notNull().default(false),
    state: text({ enum: stepStates }).notNull(),
    attempts: integer().notNull().default(0),
    fence: integer().notNull().default(0),
    /** The worker that runs it now: its claim holds for as long as that worker's lease. */
    claimedBy: text("claimed_by"),
    dueAt: monotonic("due_at").notNull(),
    /** When it began to wait for one of the limited places (playbooks at once). */
    queuedAt: monotonic("queued_at"),
    startedAt: time("started_at"),
    /** The same moment by the clock that is never set: its age is measured with it. */
    startedMonotonic: monotonic("started_monotonic"),
    endedAt: time("ended_at"),
    progress: text({ mode: "json" }).$type<StepProgress>(),
    failure: text({ mode: "json" }).$type<Failure>(),
  },
  (table) => [
    primaryKey({ columns: [table.operationId, table.name] }),
    index("steps_by_state").on(table.state, table.name),
  ],
);

/** Workers that hold claims. One whose lease is over, or that has no row, holds nothing. */
export const workers = sqliteTable("workers", {
  /** Fresh for every life of a process, and after every lease that was lost. */
  id: text().primaryKey(),
  leaseUntil: monotonic("lease_until").notNull(),
});

export const eventKinds = ["operation", "step", "log", "instance"] as const;
export type EventKind = (typeof eventKinds)[number];

/**
 * What happened, in order. No id is ever skipped, because a rollback returns its id, and none is used twice. Rows only
 * leave for `packedLogs`: the ids of both together are 1, 2, 3 … without gap.
 */
export const events = sqliteTable(
  "events",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: time("at").notNull(),
    kind: text({ enum: eventKinds }).notNull(),
    instanceId: text("instance_id").notNull(),
    operationId: text("operation_id"),
    step: text(),
    data: text({ mode: "json" }).$type<JsonObject>().notNull(),
  },
  (table) => [index("events_by_operation").on(table.operationId, table.id)],
);

/**
 * Lines of the logs of operations that are long done, out of `events`: a part of a log in each row, and of most
 * operations all of it. See server/operations/packedLogs.ts.
 */
export const packedLogs = sqliteTable(
  "packed_logs",
  {
    operationId: text("operation_id")
      .notNull()
      .references(() => operations.id),
    /** The events' ids of its first and last line, and how many lines it holds. */
    firstId: integer("first_id").notNull(),
    lastId: integer("last_id").notNull(),
    lines: integer().notNull(),
    data: blob({ mode: "buffer" }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.operationId, table.firstId] })],
);

/** The outbox of wake-ups: what the queue should know. One row per live operation. */
export const wakeUps = sqliteTable("wake_ups", {
  operationId: text("operation_id")
    .primaryKey()
    .references(() => operations.id),
  dueAt: monotonic("due_at").notNull(),
  sentAt: time("sent_at"),
});

export const mailKinds = ["ready", "failed", "stale", "drift"] as const;
export type MailKind = (typeof mailKinds)[number];

/** Names beside an instance's own that lead to it: where it is moving to, and where it was. */
export const aliases = sqliteTable(
  "aliases",
  {
    id: text().primaryKey(),
    instanceId: text("instance_id")
      .notNull()
      .references(() => instances.id),
    slug: text().notNull(),
    domain: text().notNull(),
    role: text({ enum: ["next", "redirect"] }).notNull(),
    /** Of a redirect: when it is removed. Of a name that was one and is moved to: what Cancel goes back to. */
    expiresAt: time("expires_at"),
  },
  (table) => [
    uniqueIndex("aliases_address").on(table.slug, table.domain),
    index("aliases_by_instance").on(table.instanceId),
  ],
);

/** The A records we made: no other record at DigitalOcean is ever changed or removed. */
export const dnsRecords = sqliteTable(
  "dns_records",
  {
    /** DigitalOcean's id. */
    id: integer().primaryKey(),
    instanceId: text("instance_id")
      .notNull()
      .references(() => instances.id),
    domain: text().notNull(),
    /** Relative to the domain. */
    name: text().notNull(),
    address: text().notNull(),
    createdAt: time("created_at").notNull(),
  },
  (table) => [
    index("dns_records_by_instance").on(table.instanceId),
    index("dns_records_by_name").on(table.domain, table.name),
  ],
);

/** Snapshots at DigitalOcean that cost money until they are removed. */
export const snapshots = sqliteTable(
  "snapshots",
  {
    /** DigitalOcean's id. */
    id: integer().primaryKey(),
    sequence: sequence(),
    instanceId: text("instance_id")
      .notNull()
      .references(() => instances.id),
    operationId: text("operation_id").notNull(),
    name: text().notNull(),
    /** The DigitalOcean team it belongs to; null while that was never noted. */
    accountId: text("account_id"),
    /** Whether the droplet it was taken of had ever answered as an intranet. */
    answered: integer({ mode: "boolean" }).notNull().default(true),
    sizeGb: real("size_gb").notNull(),
    takenAt: time("taken_at").notNull(),
    /** When its removal was begun: from then on it may be gone already, and nothing is brought back from it. */
    removingAt: time("removing_at"),
    removedAt: time("removed_at"),
  },
  (table) => [
    index("snapshots_by_sequence").on(table.sequence),
    index("snapshots_by_instance").on(table.instanceId),
  ],
);

/** What is in a backup, as the droplet itself counted it. */
export type BackupManifest = {
  files: number;
  bytes: number;
  /** SHA-256 over all files' names, sizes and contents. */
  tree: string;
  counts: Record<string, number>;
};

/** Removing: claimed by retention or a purge; it may be gone already, and nothing may begin to restore it. */
export const backupStates = ["running", "good", "failed", "removing", "removed"] as const;
export type BackupState = (typeof backupStates)[number];
export const backupReasons = ["manual", "scheduled", "before-restore", "before-upgrade"] as const;
export type BackupReason = (typeof backupReasons)[number];

export const backups = sqliteTable(
  "backups",
  {
    id: text().primaryKey(),
    sequence: sequence(),
    instanceId: text("instance_id")
      .notNull()
      .references(() => instances.id),
    operationId: text("operation_id").notNull(),
    reason: text({ enum: backupReasons }).notNull(),
    /** Good only after it was read back from where it is stored, and opened. */
    state: text({ enum: backupStates }).notNull(),
    key: text().notNull(),
    bytes: integer(),
    sha256: text(),
    version: text().notNull(),
    contents: text({ mode: "json" }).$type<BackupManifest>(),
    createdAt: time("created_at").notNull(),
    /** When the data in it was dumped. */
    takenAt: time("taken_at"),
    verifiedAt: time("verified_at"),
    /** The last time it was restored to a throwaway droplet and was what it should be, and how long that took. */
    restoreTestedAt: time("restore_tested_at"),
    restoreTestedInMs: integer("restore_tested_in_ms"),
    restoreTestFailure: text("restore_test_failure"),
    removedAt: time("removed_at"),
  },
  (table) => [
    index("backups_by_sequence").on(table.sequence),
    index("backups_by_instance").on(table.instanceId, table.sequence),
    index("backups_there").on(table.sequence).where(sql`state in ('running', 'good', 'failed')`),
    index("backups_there_by_instance")
      .on(table.instanceId, table.sequence)
      .where(sql`state in ('running', 'good', 'failed')`),
    index("backups_sums")
      .on(table.bytes, table.state, table.restoreTestedAt, table.restoreTestFailure)
      .where(sql`state in ('running', 'good', 'failed')`),
    index("backups_removing").on(table.sequence).where(sql`state = 'removing'`),
    index("backups_good").on(table.instanceId, table.takenAt).where(sql`state = 'good'`),
  ],
);

export const mail = sqliteTable(
  "mail",
  {
    id: text().primaryKey(),
    /** What it is about: an operation, or (stale, drift) an instance. */
    operationId: text("operation_id").references(() => operations.id),
    instanceId: text("instance_id").references(() => instances.id),
    kind: text({ enum: mailKinds }).notNull(),
    /** Counts the runs of an operation: a retry that fails again says so again. For stale: the last good backup. For
     * drift: the orphan's id at DigitalOcean. */
    round: integer().notNull(),
    recipient: text().notNull(),
    /** Empty until it is rendered, just before it is sent. */
    subject: text().notNull().default(""),
    html: text().notNull().default(""),
    text: text().notNull().default(""),
    createdAt: time("created_at").notNull(),
    /** The same moment by the clock that is never set: its age is measured with it. */
    createdMonotonic: monotonic("created_monotonic").notNull().default(0),
    sentAt: time("sent_at"),
    /** The provider's id, or "outbox" while no Resend key is set. */
    providerId: text("provider_id"),
    /** How often it has been claimed, which makes it the claim's fence as well. */
    attempts: integer().notNull().default(0),
    /** When it is to be sent; while somebody is sending it, the end of their lease. */
    dueAt: monotonic("due_at").notNull(),
    /** When it was first handed to the provider without a clear answer: it may have arrived. */
    unclearSince: monotonic("unclear_since"),
    /** When the sender gave up on it; `failure` says why. */
    abandonedAt: time("abandoned_at"),
    failure: text(),
  },
  (table) => [
    uniqueIndex("mail_once").on(table.operationId, table.kind, table.round, table.recipient),
    uniqueIndex("mail_once_by_instance").on(table.instanceId, table.kind, table.round, table.recipient),
    index("mail_unsent").on(table.dueAt).where(sql`sent_at is null and abandoned_at is null`),
  ],
);

export const audit = sqliteTable(
  "audit",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: time("at").notNull(),
    /** The email of who did it; kept as text, because people leave. */
    who: text().notNull(),
    what: text().notNull(),
    instanceId: text("instance_id"),
    operationId: text("operation_id"),
  },
  (table) => [index("audit_by_instance").on(table.instanceId, table.id)],
);

/** Where DigitalOcean and the rows above differ, as the last rounds of reconciliation found it. */
export const drift = sqliteTable("drift", {
  /** The same finding in the next round has the same key. */
  key: text().primaryKey(),
  instanceId: text("instance_id")
    .notNull()
    .references(() => instances.id),
  /** The DigitalOcean team in which it was found; null while that was not noted. */
  accountId: text("account_id"),
  /** See server/drift/findings.ts. */
  finding: text({ mode: "json" }).$type<JsonObject>().notNull(),
  /** What it costs a month that no row accounts for. */
  monthlyCents: integer("monthly_cents").notNull(),
  foundAt: time("found_at").notNull(),
  foundMonotonic: monotonic("found_monotonic").notNull(),
});

/** Small facts of the installation itself, such as where its monotonic clock stands. */
export const settings = sqliteTable("settings", {
  name: text().primaryKey(),
  value: text().notNull(),
});
