import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { eq } from "drizzle-orm";
import { type Db, openDatabase, write } from "#db/client.ts";
import { listNames } from "#db/listOrder.ts";
import { migrateDatabase } from "#db/migrate.ts";
import { instances, operations, users, wakeUps } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import { newId } from "#server/ids.ts";
import { advance } from "#server/operations/engine/advance.ts";
import type { AnyDefinition, Providers, Site } from "#server/operations/engine/define.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { insertOperation } from "#server/operations/engine/insertOperation.ts";
import { createWorker } from "#server/operations/engine/lease.ts";
import { stepsOf } from "#server/operations/engine/outcome.ts";
import { registry } from "#server/operations/registry.ts";

/** For tests: an engine on a real SQLite file of its own, with a clock that only moves when it is told to. */
export function createTestEngine(overrides: Partial<Engine> & { providers?: Providers } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "spawner-engine-"));
  const file = join(folder, "spawner.sqlite");
  migrateDatabase(file);
  const { db, connection } = openDatabase(file);
  const clock: TestTime = { now: 1_800_000_000_000 };
  const engine: Engine = {
    db,
    registry: registry,
    providers: only<Providers>("providers", {}),
    site: testSite,
    ...testClock(clock),
    random: () => 0.5,
    worker: createWorker(),
    slots: { playbooks: 100, transfers: 100 },
    keepDestroyedMs: 60 * 86_400_000,
    keepLogsMs: 30 * 86_400_000,
    openVariables: () => [],
    urlOf: ({ slug, domain }) => `http://${slug}.${domain}`,
    wake: () => {},
    ...overrides,
  };
  return {
    engine,
    db,
    clock,
    file,
    folder,
    close() {
      engine.worker.running.clear();
      connection.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What the monotonic clock shows, and how far ahead of it the wall clock has been set. */
type TestTime = { now: number; wallAheadMs?: number };

/** A clock that stands where it is put; only what runs meanwhile in the background keeps to real time. */
const testClock = (at: TestTime): Clock => ({
  now: () => at.now + (at.wallAheadMs ?? 0),
  monotonic: () => at.now,
  after(ms, callback) {
    const timer = setTimeout(callback, ms).unref();
    return () => clearTimeout(timer);
  },
  wait: (ms, signal) => pause(ms, undefined, signal === undefined ? {} : { signal }),
  deadline: AbortSignal.timeout,
});

/** The system's clock, as it is. */
export const realClock: Clock = {
  ...testClock({ now: 0 }),
  now: Date.now,
  monotonic: Date.now,
};

const testSite: Site = {
  runtime: "local",
  scheme: "http",
  port: undefined,
  sshPort: 4022,
  webPort: 8080,
  image: "intranet/meteor",
  releasesUrl: "http://127.0.0.1:1/releases",
  privateKeyFile: "/nowhere",
  publicKey: "ssh-ed25519 AAAA",
  keyName: "test",
};

/** The part of something that a test needs: whatever else is asked of it throws. */
export function only<Whole extends object>(what: string, part: Partial<Whole>): Whole {
  return new Proxy(part as Whole, {
    get: (target, name, receiver) => {
      if (name in target) return Reflect.get(target, name, receiver);
      throw new Error(`This test has no ${what}.${String(name)}.`);
    },
  });
}

/** An instance as the form would have made it. */
export function insertInstance(db: Db, values: Partial<typeof instances.$inferInsert> = {}): string {
  const id = newId();
  db.insert(instances)
    .values({
      id,
      idempotencyKey: newId(),
      company: "Acme Bakery",
      ...listNames(values.company ?? "Acme Bakery"),
      contactName: "Petra Lindqvist",
      contactEmail: "petra@acme.example",
      slug: `acme-${id.slice(0, 6)}`,
      domain: "intranet.localhost",
      region: "fra1",
      size: "s-1vcpu-2gb",
      priceMonthlyCents: 1200,
      version: "2.14.0",
      status: "running",
      createdBy: "joe@intranet.localhost",
      createdAt: 1,
      ...values,
    })
    .run();
  return id;
}

/** Somebody who may sign in, and is written to; unless told, whoever makes the instances of tests. */
export function insertUser(db: Db, email = "joe@intranet.localhost"): void {
  db.insert(users).values({ id: newId(), email, name: email, passwordHash: "", createdAt: 1 }).run();
}

/** Begins an operation for an instance. */
export function begin(engine: Engine, instanceId: string, definition: AnyDefinition, facts = {}): string {
  return write(engine.db, (tx) =>
    insertOperation(
      tx,
      {
        kind: definition.kind,
        instanceId,
        who: "joe@intranet.localhost",
        clock: engine,
        what: "began",
        facts,
      },
      definition,
    ),
  );
}

export const operationOf = (db: Db, id: string) => {
  const operation = db.select().from(operations).where(eq(operations.id, id)).get();
  if (operation === undefined) throw new Error(`no operation ${id}`);
  return operation;
};

/** The state of every step, by name. */
export const states = (db: Db, id: string) =>
  Object.fromEntries(stepsOf(db, id).map((row) => [row.name, row.state]));

/**
 * Plays the queue: wakes the operation when it is due, until it is over. `wait` passes the time until then: with a
 * clock that stands still it is moved, with a real one it is waited for.
 */
export async function runToEnd(
  engine: Engine,
  operationId: string,
  wait: (untilMs: number) => Promise<void> | void,
  limit = 2000,
): Promise<void> {
  for (let round = 0; round < limit; round += 1) {
    await advance(engine, operationId);
    const wakeUp = engine.db.select().from(wakeUps).where(eq(wakeUps.operationId, operationId)).get();
    if (wakeUp === undefined) return;
    await wait(wakeUp.dueAt);
  }
  throw new Error(`The operation didn't end: ${JSON.stringify(stepsOf(engine.db, operationId), null, 1)}`);
}
