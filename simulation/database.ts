import Database from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import type { Db } from "#db/client.ts";
import { withSteadyPlans } from "#db/steadyPlans.ts";

/** The database of the life that is lived now: a process lives one at a time. */
type LifeDatabase = {
  /** What the product works with. It is the same in all lives, and leads to the newest connection. */
  db: Db;
  /** Begins a life: its connection, to a fresh copy of the template. */
  connect: () => Database.Database;
};

const known = new WeakMap<Buffer, LifeDatabase>();

/** For lives that begin with this template. To build a query takes longer than to run it: here once for all lives. */
export function databaseOf(template: Buffer): LifeDatabase {
  const database = known.get(template) ?? createDatabase(template);
  known.set(template, database);
  return database;
}

function createDatabase(template: Buffer): LifeDatabase {
  let life = openLife(template);
  const statements = new Map<string, Database.Statement>();
  /** Never asked for anything: it lends statements and itself their types. */
  const face = new Database(template);
  const lend = face.prepare.bind(face);

  function prepare(sql: string): Database.Statement {
    const own = ofEachLife(sql);
    const statement =
      statements.get(sql) ??
      Object.assign(lend(sql), {
        run: (...values: unknown[]) => own().run(...values),
        get: (...values: unknown[]) => own().get(...values),
        all: (...values: unknown[]) => own().all(...values),
        raw: () => own().raw(),
      });
    statements.set(sql, statement);
    return statement;
  }

  /** The statement of the life that is lived, prepared when it is first needed there. */
  function ofEachLife(sql: string): () => Database.Statement {
    let preparedIn: typeof life | undefined;
    let statement: Database.Statement | undefined;
    return () => {
      if (statement === undefined || preparedIn !== life) {
        preparedIn = life;
        statement = life.connection.prepare(sql);
      }
      return statement;
    };
  }

  const begin = (behavior: "deferred" | "immediate" | "exclusive", work: () => unknown) =>
    life.transaction[behavior](work);
  const transaction = <Given>(work: (given: Given) => unknown) => ({
    deferred: (given: Given) => begin("deferred", () => work(given)),
    immediate: (given: Given) => begin("immediate", () => work(given)),
    exclusive: (given: Given) => begin("exclusive", () => work(given)),
  });

  return {
    db: drizzle(Object.assign(face, { prepare, transaction })),
    connect() {
      life = openLife(template);
      return life.connection;
    },
  };
}

function openLife(template: Buffer) {
  const connection = withSteadyPlans(new Database(template));
  connection.pragma("foreign_keys = ON");
  return { connection, transaction: connection.transaction((work: () => unknown) => work()) };
}
