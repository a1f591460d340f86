import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { afterAll, expect, test } from "vitest";
import { openDatabase } from "./client.ts";
import { migrateDatabase } from "./migrate.ts";
import { instances, mail, operations, snapshots, variables } from "./schema.ts";
import { olderMigrations } from "./testMigrations.ts";

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
