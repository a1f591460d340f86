import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { afterAll, expect, test } from "vitest";
import { openDatabase } from "./client.ts";
import { migrateDatabase } from "./migrate.ts";
import {
  backups,
  events,
  healthHours,
  instances,
  mail,
  operations,
  packedLogs,
  settings,
  snapshots,
  steps,
  variables,
  wakeUps,
} from "./schema.ts";
import { olderMigrations } from "./testing/testMigrations.ts";

const folder = mkdtempSync(join(tmpdir(), "spawner-migrate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a database of the first version keeps everything, and learns what it lacks", () => {
  const file = join(folder, "spawner.sqlite");
  const before = openDatabase(file);
  migrate(before.db, { migrationsFolder: olderMigrations(folder, 1) });
  const instance = `'c', 'Acme', 'Petra', 'p@acme.example', 'acme', 'x.test', 'fra1', 's', 1200, '2.14.0'`;
  before.connection.exec(`
    INSERT INTO instances (click_key, company, contact_name, contact_email, slug, domain, region, size,
      price_monthly_cents, version, id, status, created_by, created_at)
      VALUES (${instance}, 'alive', 'running', 'joe', 1);
    INSERT INTO instances (click_key, company, contact_name, contact_email, slug, domain, region, size,
      price_monthly_cents, version, id, status, created_by, created_at, destroyed_at, snapshot_id, snapshot_at)
      VALUES (${instance.replace("'c'", "'d'")}, 'gone', 'destroyed', 'joe', 1, 1000, 77, 900);
    INSERT INTO variables VALUES ('alive', 'GREETING', 'sealed', 1, 0, 0, 5);
    INSERT INTO operations (id, instance_id, kind, state, facts, created_by, created_at)
      VALUES ('o1', 'alive', 'spawn', 'done', '{"dropletId":1}', 'joe', 1);
    INSERT INTO mail (id, operation_id, kind, round, recipient, created_at, due_at)
      VALUES ('m1', 'o1', 'ready', 0, 'joe@example.org', 1, 1);`);
  before.connection.close();

  migrateDatabase(file);
  migrateDatabase(file);

  const { db, connection } = openDatabase(file);
  expect(db.select().from(variables).all()).toMatchObject([
    { instanceId: "alive", set: 1, name: "GREETING", value: "sealed", secret: true },
  ]);
  const [alive, gone] = db.select().from(instances).orderBy(instances.id).all();
  expect(alive).toMatchObject({ variableSet: 1, isProtected: false, backupPlan: { every: "never" } });
  const sixtyDays = 60 * 24 * 60 * 60 * 1000;
  expect(gone).toMatchObject({ snapshotId: 77, keptUntil: 1000 + sixtyDays, purgedAt: null });
  expect(db.select().from(snapshots).all()).toMatchObject([{ id: 77, instanceId: "gone", takenAt: 900 }]);
  expect(db.select().from(mail).all()).toMatchObject([{ id: "m1", operationId: "o1", instanceId: null }]);
  expect(db.select().from(operations).all()).toMatchObject([{ id: "o1", facts: { dropletId: 1 } }]);
  expect(connection.pragma("foreign_keys", { simple: true })).toBe(1);
  connection.close();
});

test("a database of the version before keeps everything in its order, and what was under way", () => {
  const file = join(folder, "before.sqlite");
  const before = openDatabase(file);
  migrate(before.db, { migrationsFolder: olderMigrations(folder, 3) });
  before.connection.exec(`
    INSERT INTO instances (id, click_key, company, contact_name, contact_email, slug, domain, region, size,
      price_monthly_cents, version, status, droplet_id, created_by, created_at, snapshot_id, snapshot_at)
      VALUES ('i', 'c', 'Acme', 'Petra', 'p@acme.example', 'acme', 'x.test', 'fra1', 's', 1200, '2.14.0', 'destroying',
        5, 'joe', 1, 71, 900);
    INSERT INTO operations (id, instance_id, kind, state, facts, created_by, created_at)
      VALUES ('spawn', 'i', 'spawn', 'done', '{"dropletId":5}', 'joe', 10),
        ('late', 'i', 'backup', 'cancelled', '{}', 'Spawner', 5),
        ('destroy', 'i', 'destroy', 'running', '{"actions":{"snapshot 0 snapshot":{"askedAt":20,"id":9}}}', 'joe', 20);
    INSERT INTO steps (operation_id, name, label, position, state, fence, claimed_by, claimed_until, due_at, started_at)
      VALUES ('destroy', 'snapshot', 'Take a snapshot', 0, 'running', 4, 'somebody', 50, 40, 21),
        ('destroy', 'remove-dns', 'Remove the DNS record', 1, 'waiting', 0, NULL, NULL, 20, NULL);
    INSERT INTO wake_ups (operation_id, due_at) VALUES ('destroy', 40);
    INSERT INTO strays VALUES (6, 'i', 'acme.x.test', 600, 1);
    INSERT INTO snapshots VALUES (72, 'i', 'o', 'older', 1.5, 800, 850), (71, 'i', 'o', 'newer', 2.5, 900, NULL);
    INSERT INTO backups (id, instance_id, operation_id, reason, state, key, version, created_at)
      VALUES ('b2', 'i', 'o', 'manual', 'good', 'k2', '1', 7), ('b1', 'i', 'o', 'manual', 'failed', 'k1', '1', 6);
    INSERT INTO mail (id, operation_id, kind, round, recipient, subject, created_at, due_at, sent_at)
      VALUES ('sent', 'spawn', 'ready', 0, 'joe', 'Ready', 11, 11, 12),
        ('unclear', 'destroy', 'failed', 0, 'joe', 'Failed', 22, 22, NULL),
        ('due', 'destroy', 'failed', 1, 'joe', '', 23, 23, NULL),
        ('futile', 'late', 'ready', 0, 'joe', '', 6, 6, NULL);`);
  before.connection.close();

  migrateDatabase(file);

  const { db, connection } = openDatabase(file);
  const order = db.select().from(operations).orderBy(operations.sequence).all();
  expect(order).toMatchObject([
    { id: "spawn", facts: { dropletId: 5 } },
    { id: "late", createdBy: "Spawner" },
    {
      id: "destroy",
      state: "running",
      facts: { actions: { "snapshot 0 snapshot": { askedAt: 20, id: 9 } } },
    },
  ]);
  expect(db.select().from(steps).orderBy(steps.position).all()).toMatchObject([
    { name: "snapshot", state: "running", fence: 4, dueAt: 40, startedAt: 21, startedMonotonic: 21 },
    { name: "remove-dns", state: "waiting", startedMonotonic: null },
  ]);
  expect(db.select().from(wakeUps).all()).toMatchObject([{ operationId: "destroy", dueAt: 40 }]);
  expect(db.select().from(snapshots).orderBy(snapshots.sequence).all()).toMatchObject([
    { id: 72, sizeGb: 1.5, removedAt: 850, answered: true },
    { id: 71, sizeGb: 2.5, removedAt: null, answered: true },
  ]);
  expect(db.select().from(backups).orderBy(backups.sequence).all()).toMatchObject([
    { id: "b2" },
    { id: "b1" },
  ]);
  expect(db.select().from(instances).all()).toMatchObject([
    { dropletId: 5, snapshotId: 71, accountId: null, dropletMissingSince: null, dropletGoneAt: null },
  ]);
  // What may have arrived is not sent twice without end; what nobody wants any more is not sent at all.
  expect(db.select().from(mail).orderBy(mail.createdAt).all()).toMatchObject([
    { id: "futile", sentAt: null, abandonedAt: 6 },
    { id: "sent", sentAt: 12, createdMonotonic: 11 },
    { id: "unclear", sentAt: null, unclearSince: 22, abandonedAt: null },
    { id: "due", sentAt: null, unclearSince: null, abandonedAt: null },
  ]);
  connection.close();
});

test("a database from before names were changed keeps what is under them", () => {
  const file = join(folder, "names.sqlite");
  const before = openDatabase(file);
  migrate(before.db, { migrationsFolder: olderMigrations(folder, 7) });
  const plan = `{"every":"day","at":"04:00","weekday":0,"timeZone":"UTC","keepCount":3,"keepDays":9,"proveEvery":"week","setAt":5}`;
  const failure = `{"sentence":"It failed.","detail":"why"}`;
  before.connection.exec(`
    INSERT INTO instances (id, idempotency_key, company, contact_name, contact_email, slug, domain, region, size,
      price_monthly_cents, version, status, droplet_id, address, next_proof_at, backup_plan, created_by, created_at)
      VALUES ('i', 'k', 'Acme', 'Petra', 'p@acme.example', 'acme', 'x.test', 'fra1', 's', 1200, '2.14.0', 'failed', 5,
        '203.0.113.5', 77, '${plan}', 'joe', 1);
    INSERT INTO operations (id, sequence, instance_id, kind, state, facts, failure, created_by, created_at) VALUES
      ('o1', 1, 'i', 'prove', 'failed', '{}', '${failure}', 'joe', 1),
      ('o2', 2, 'i', 'remove-stray', 'done', '{}', NULL, 'joe', 1),
      ('o3', 3, 'i', 'resize', 'failed',
        '{"size":{"slug":"l","priceMonthly":2400},"previousSize":{"slug":"s","priceMonthly":1200},"dropletId":5}', NULL, 'joe', 1);
    INSERT INTO steps (operation_id, name, label, position, state, failure, due_at)
      VALUES ('o1', 'restore', 'Restore', 0, 'failed', '${failure}', 1);
    INSERT INTO backups (id, instance_id, operation_id, reason, state, key, version, created_at, proven_at, proven_in_ms,
      proof_failure) VALUES ('b', 'i', 'o1', 'manual', 'good', 'b', '1', 1, 8, 900, 'The last one failed.');
    INSERT INTO settings (name, value) VALUES ('reconciliation', '{"checkedAt":4,"failure":{"at":3,"sentence":"No."}}'),
      ('another', '{"sentence":1}');`);
  before.connection.close();

  migrateDatabase(file);

  const { db, connection } = openDatabase(file);
  const userMessage = { userMessage: "It failed.", detail: "why" };
  expect(db.select().from(instances).all()).toMatchObject([
    {
      ...{ ipAddress: "203.0.113.5", nextRestoreTestAt: 77, priceMonthlyCents: 1200 },
      backupPlan: {
        ...{ every: "day", at: "04:00", weekday: 0, timeZone: "UTC", keepCount: 3, keepDays: 9 },
        ...{ testRestoreEvery: "week", setAt: 5 },
      },
    },
  ]);
  expect(db.select().from(operations).orderBy(operations.sequence).all()).toMatchObject([
    { kind: "test-restore", failure: userMessage },
    { kind: "remove-orphaned-droplet", failure: null },
    {
      kind: "resize",
      facts: {
        size: { slug: "l", priceMonthlyCents: 2400 },
        previousSize: { slug: "s", priceMonthlyCents: 1200 },
        dropletId: 5,
      },
    },
  ]);
  expect(db.select().from(steps).all()).toMatchObject([{ failure: userMessage }]);
  expect(db.select().from(backups).all()).toMatchObject([
    { restoreTestedAt: 8, restoreTestedInMs: 900, restoreTestFailure: "The last one failed." },
  ]);
  expect(db.select().from(settings).orderBy(settings.name).all()).toMatchObject([
    { name: "another", value: '{"sentence":1}' },
    { name: "reconciliation", value: '{"checkedAt":4,"failure":{"at":3,"userMessage":"No."}}' },
  ]);
  connection.close();
});

test("a log from before logs were packed is the same, and is packed when its time comes", () => {
  const file = join(folder, "logs.sqlite");
  const before = openDatabase(file);
  migrate(before.db, { migrationsFolder: olderMigrations(folder, 9) });
  before.connection.exec(`
    INSERT INTO instances (id, idempotency_key, company, contact_name, contact_email, slug, domain, region, size,
      price_monthly_cents, version, status, created_by, created_at, answered_at)
      VALUES ('i', 'k', 'Acme', 'Petra', 'p@acme.example', 'acme', 'x.test', 'fra1', 's', 1200, '2.14.0', 'running',
        'joe', 1, 9);
    INSERT INTO operations (id, sequence, instance_id, kind, state, facts, created_by, created_at, ended_at)
      VALUES ('o', 1, 'i', 'restart', 'done', '{}', 'joe', 1, 3);
    INSERT INTO events (at, kind, instance_id, operation_id, step, data)
      VALUES (2, 'log', 'i', 'o', 'shut-down', '{"text":"ok","failed":false}'),
        (3, 'operation', 'i', 'o', NULL, '{"state":"done"}');`);
  before.connection.close();

  migrateDatabase(file);

  const { db, connection } = openDatabase(file);
  expect(db.select().from(operations).all()).toMatchObject([{ id: "o", endedAt: 3, logPackedAt: null }]);
  expect(db.select().from(events).all()).toMatchObject([
    { id: 1, kind: "log", data: { text: "ok", failed: false } },
    { id: 2, kind: "operation" },
  ]);
  expect(db.select().from(instances).all()).toMatchObject([{ answeredAt: 9 }]);
  expect([db.select().from(packedLogs).all(), db.select().from(healthHours).all()]).toEqual([[], []]);
  connection.close();
});

test("rows that refer to nothing are named, not carried on with", () => {
  const file = join(folder, "broken.sqlite");
  migrateDatabase(file);
  const { connection } = openDatabase(file);
  connection.pragma("foreign_keys = OFF");
  connection.exec(
    "INSERT INTO operations (id, instance_id, kind, state, facts, created_by, created_at) VALUES ('o', 'nobody', 'spawn', 'done', '{}', 'joe', 1)",
  );
  connection.close();
  expect(() => migrateDatabase(file)).toThrow(/1 rows that refer to something that is not there/);
});
