import { sql } from "drizzle-orm";
import { type Db, type Tx, write } from "#db/client.ts";
import { listNames } from "#db/listOrder.ts";
import {
  backups,
  events,
  type InstanceStatus,
  instances,
  noBackupPlan,
  type OperationKind,
  operations,
  snapshots,
  steps,
} from "#db/schema.ts";
import { plannedSteps } from "#server/operations/engine/define.ts";
import { registry } from "#server/operations/registry.ts";

/** What a database is to hold. */
export type Filling = {
  instances: number;
  /** Of each instance. */
  operations: number;
  backups: number;
  /** Lines in the log of each operation. */
  logLines: number;
  now: number;
};

const dayMs = 86_400_000;
const minuteMs = 60_000;
const names = ["Acme Bakery", "Nordwind", "Många Bagare", "Ostra Glas", "Tannhof", "Lumen", "Harbour & Co"];
/** Of a hundred instances. */
const statusOf = (index: number): InstanceStatus => {
  const of100 = index % 100;
  if (of100 < 3) return "failed";
  if (of100 < 5) return "unreachable";
  if (of100 < 7) return "backing-up";
  if (of100 < 10) return "off";
  return of100 < 15 ? "destroyed" : "running";
};

/** So many instances are made one by one; the others are their copies, which SQLite makes by itself. */
const templates = 100;

/** Fills an empty database as years of use would: every instance with operations, their steps and logs, and backups. */
export function fill(db: Db, filling: Filling): void {
  const made = Math.min(filling.instances, templates);
  write(db, () => {
    for (let index = 0; index < made; index += 1) addInstance(db, index, filling);
  });
  const copies = Math.ceil(filling.instances / templates) - 1;
  if (copies > 0) write(db, (tx) => copyAll(tx, copies));
}

/** A name of the copy's own; a number beyond those of the templates. */
const own = (column: string) => `${column} || '-' || copy.value`;
const beyond = (column: string, table: string) =>
  `${column} + copy.value * (select max(${column}) from ${table})`;
const padded = (column: string) => `${column} || printf(' %012d', copy.value)`;

const copied: Record<string, Record<string, string>> = {
  instances: {
    ...{ id: own("id"), idempotency_key: own("idempotency_key"), slug: own("slug") },
    ...{ company: `company || ' ' || copy.value`, search_name: `search_name || ' ' || copy.value` },
    ...{ sort_name: padded("sort_name"), droplet_id: beyond("droplet_id", "instances") },
  },
  operations: { id: own("id"), instance_id: own("instance_id"), sequence: beyond("sequence", "operations") },
  steps: { operation_id: own("operation_id") },
  events: {
    ...{ id: beyond("id", "events"), instance_id: own("instance_id"), operation_id: own("operation_id") },
  },
  backups: {
    ...{ id: own("id"), instance_id: own("instance_id"), operation_id: own("operation_id") },
    ...{ key: own("key"), sequence: beyond("sequence", "backups") },
  },
  snapshots: {
    ...{ id: beyond("id", "snapshots"), instance_id: own("instance_id") },
    ...{ operation_id: own("operation_id"), sequence: beyond("sequence", "snapshots") },
  },
};

function copyAll(tx: Tx, copies: number): void {
  const numbers = JSON.stringify(Array.from({ length: copies }, (_, index) => index + 1));
  for (const [table, changed] of Object.entries(copied)) {
    const columns = tx
      .all<{ name: string }>(sql.raw(`select name from pragma_table_info('${table}')`))
      .map(({ name }) => name);
    const quoted = columns.map((name) => `"${name}"`);
    const values = columns.map((name) => changed[name] ?? `"${name}"`);
    tx.run(
      sql`insert into ${sql.raw(table)} (${sql.raw(quoted.join(", "))})
        select ${sql.raw(values.join(", "))} from (select * from ${sql.raw(table)}) template, (select value from json_each(${numbers})) copy`,
    );
  }
}

function addInstance(db: Db, index: number, filling: Filling): void {
  const { now } = filling;
  const id = `instance-${index}`;
  const company = `${names[index % names.length]} ${index}`;
  const status = statusOf(index);
  const createdAt = now - 400 * dayMs + index * minuteMs;
  db.insert(instances)
    .values({
      ...{ id, idempotencyKey: id, company, ...listNames(company), status, createdAt, createdBy: "joe" },
      ...{ contactName: "Petra Lindqvist", contactEmail: "petra@acme.example", slug: `slug-${index}` },
      ...{ domain: "intranet.localhost", region: "fra1", size: "s-1vcpu-2gb", priceMonthlyCents: 1200 },
      ...{ version: "2.14.0", dropletId: index + 1, ipAddress: "127.0.0.9", hostKey: "ssh-ed25519 AAAA" },
      ...{ answeredAt: now, answeredInMs: 12, destroyedAt: status === "destroyed" ? now - dayMs : null },
      backupPlan: { ...noBackupPlan, every: "day", setAt: 1 },
      nextBackupAt: now + dayMs,
    })
    .run();
  for (let number = 0; number < filling.operations; number += 1) addOperation(db, index, number, filling);
  for (let number = 0; number < filling.backups; number += 1) {
    const createdAt = now - (filling.backups - number) * dayMs;
    db.insert(backups)
      .values({
        ...{
          id: `backup-${index}-${number}`,
          sequence: index * filling.backups + number + 1,
          instanceId: id,
        },
        ...{
          operationId: `operation-${index}-${number}`,
          reason: "scheduled",
          state: "good",
          version: "2.14.0",
        },
        ...{ key: `${id}/${number}`, bytes: 1_000_000, sha256: "0", createdAt, takenAt: createdAt },
        contents: { files: 9, bytes: 1_000_000, tree: "0", counts: { posts: 12 } },
      })
      .run();
  }
  db.insert(snapshots)
    .values({
      ...{ id: index + 1, sequence: index + 1, instanceId: id, operationId: `operation-${index}-0` },
      ...{ name: id, sizeGb: 2, takenAt: createdAt },
    })
    .run();
}

const kindOf = (number: number): OperationKind =>
  number === 0 ? "spawn" : number % 10 === 9 ? "upgrade" : number % 25 === 24 ? "restart" : "backup";

export function addOperation(
  db: Db,
  index: number,
  number: number,
  filling: Filling,
  sequenceFrom = index * filling.operations,
): void {
  const id = `operation-${index}-${number}`;
  const instanceId = `instance-${index}`;
  const status = statusOf(index);
  const kind = kindOf(number);
  const isNewest = number === filling.operations - 1;
  const state =
    isNewest && status === "failed" ? "failed" : isNewest && status === "backing-up" ? "running" : "done";
  const createdAt = filling.now - (filling.operations - number) * dayMs;
  db.insert(operations)
    .values({
      ...{ id, instanceId, kind, state, facts: {}, createdBy: "joe", createdAt },
      sequence: sequenceFrom + number + 1,
      failure: state === "failed" ? { userMessage: "The droplet didn't answer.", detail: "timed out" } : null,
      endedAt: state === "running" ? null : createdAt + minuteMs,
    })
    .run();
  plannedSteps(registry[kind]).forEach(({ step, fork, branch }, position) => {
    db.insert(steps)
      .values({
        ...{ operationId: id, name: step.name, label: step.label, position, fork, branch, dueAt: 0 },
        state:
          state === "done" || position === 0
            ? "done"
            : state === "failed" && position === 1
              ? "failed"
              : "waiting",
        attempts: 1,
        startedAt: createdAt + position * 1000,
        endedAt: createdAt + position * 1000 + 900,
      })
      .run();
  });
  for (let line = 0; line < filling.logLines; line += 1)
    db.insert(events)
      .values({
        ...{ at: createdAt, kind: "log", instanceId, operationId: id, step: "dump" },
        data: { text: `TASK [${line}]`, failed: false },
      })
      .run();
}
