import { copyFileSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { and, count, eq, isNull, max } from "drizzle-orm";
import { type Db, openDatabase } from "#db/client.ts";
import { migrateDatabase } from "#db/migrate.ts";
import { events, instances, operations } from "#db/schema.ts";
import { addToHour, count as countAnswer, hourMs, noAnswers } from "#server/instances/healthHours.ts";
import { packOldLogs } from "#server/maintenance/oldLogs.ts";

/**
 * `node --import tsx bench/bytes.ts .data/spawner.sqlite`: what the database grows by, measured on copies of one that
 * has been used. The newest operation of each kind that was done is written a few hundred times more: as it is, and as it
 * is once its log is packed.
 */
const [source] = process.argv.slice(2);
if (source === undefined || !existsSync(source)) throw new Error("Name a spawner.sqlite that has been used.");

/** What belongs to an operation, by the column that names it. */
const parts: [table: string, column: string][] = [
  ["operations", "id"],
  ...["steps", "events", "packed_logs", "audit", "mail"].map((table): [string, string] => [
    table,
    "operation_id",
  ]),
];

const copies = 300;
const folder = mkdtempSync(join(tmpdir(), "spawner-growth-"));
try {
  const used = join(folder, "used.sqlite");
  const original = new Database(source, { readonly: true });
  await original.backup(used);
  original.close();
  migrateDatabase(used);
  const packed = join(folder, "packed.sqlite");
  copyFileSync(used, packed);
  await onFile(packed, pack);
  const kinds = await onFile(used, async (db) =>
    db
      .select({ kind: operations.kind, id: operations.id, sequence: max(operations.sequence) })
      .from(operations)
      .where(eq(operations.state, "done"))
      .groupBy(operations.kind)
      .all()
      .map(({ kind, id }) => ({ kind, id, lines: linesOf(db, id) })),
  );
  say("operation", "log lines", "bytes", "log packed");
  for (const { kind, id, lines } of kinds)
    say(kind, lines, await operationSize(used, id), await operationSize(packed, id));
  say("health history", "", "a day", "in 90 days");
  const day = await healthSize(used, 1);
  say("of an instance", "", day, await healthSize(used, 90));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function say(name: string, ...figures: (string | number)[]): void {
  process.stdout.write(`${name.padEnd(24)}${figures.map((one) => String(one).padStart(12)).join("")}\n`);
}

async function onFile<Result>(
  file: string,
  work: (db: Db, connection: Database.Database) => Promise<Result>,
): Promise<Result> {
  const { db, connection } = openDatabase(file);
  connection.pragma("foreign_keys = OFF");
  connection.pragma("synchronous = OFF");
  connection.pragma("journal_mode = DELETE");
  try {
    return await work(db, connection);
  } finally {
    connection.close();
  }
}

/** By how many bytes `work` makes a copy of the file larger, free pages not counted. */
async function growth(file: string, work: (db: Db, connection: Database.Database) => void): Promise<number> {
  const copy = join(folder, "copy.sqlite");
  copyFileSync(file, copy);
  return onFile(copy, async (db, connection) => {
    const before = size(connection);
    connection.transaction(() => work(db, connection))();
    return size(connection) - before;
  });
}

function size(connection: Database.Database): number {
  connection.exec("vacuum");
  return connection.prepare<[], number>("select sum(pgsize) from dbstat").pluck().get() ?? 0;
}

async function pack(db: Db): Promise<void> {
  const unpacked = () =>
    db
      .select({ id: operations.id })
      .from(operations)
      .where(and(eq(operations.state, "done"), isNull(operations.logPackedAt)))
      .limit(1)
      .get() !== undefined;
  const packing = { db, now: Date.now, wait: async () => {}, keepLogsMs: -1 };
  while (unpacked()) await packOldLogs(packing, AbortSignal.timeout(60_000));
}

function linesOf(db: Db, operationId: string): number {
  const isLine = and(eq(events.operationId, operationId), eq(events.kind, "log"));
  return db.select({ lines: count() }).from(events).where(isLine).get()?.lines ?? 0;
}

async function operationSize(file: string, id: string): Promise<number> {
  const bytes = await growth(file, (_db, connection) => {
    for (const [table, column] of parts) {
      const names = connection
        .prepare<[], string>(`select name from pragma_table_info('${table}')`)
        .pluck()
        .all()
        // Numbers that SQLite gives.
        .filter((name) => !(name === "id" && (table === "events" || table === "audit")));
      const values = names.map((name) =>
        name === "id" || name === "operation_id" ? `substr(${name}, 1, 12) || printf('%04d', @copy)` : name,
      );
      const again = connection.prepare(
        `insert into ${table} (${names.join(", ")}) select ${values.join(", ")} from ${table} where ${column} = @id`,
      );
      for (let copy = 0; copy < copies; copy += 1) again.run({ id, copy });
    }
  });
  return Math.round(bytes / copies);
}

/** Of an instance that answers in about 40 ms, a little differently each time. */
async function healthSize(file: string, days: number): Promise<number> {
  const hosts = 20;
  const bytes = await growth(file, (db) => {
    const [row] = db.select().from(instances).limit(1).all();
    if (row === undefined) throw new Error("There is no instance in it.");
    for (let host = 0; host < hosts; host += 1)
      for (let hour = 0; hour < days * 24; hour += 1) {
        const sofar = noAnswers(1_800_000_000_000 + hour * hourMs);
        for (let look = 0; look < 120; look += 1)
          countAnswer(sofar, { ok: true, ms: 36 + ((look * look + hour) % 9) });
        addToHour(db, `${row.id.slice(0, 12)}${String(host).padStart(4, "0")}`, sofar);
      }
  });
  return Math.round(bytes / hosts);
}
