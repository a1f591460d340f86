import Database from "better-sqlite3";
import { type BetterSQLite3Database, drizzle } from "drizzle-orm/better-sqlite3";
import { withSteadyPlans } from "./steadyPlans.ts";

export type Db = BetterSQLite3Database;
/** A database or an open transaction: what a function that writes needs. */
export type Tx = Pick<Db, "select" | "insert" | "update" | "delete" | "run" | "get" | "all">;

/**
 * Opens the SQLite file that holds everything that is true.
 *
 * `synchronous=FULL`: an acknowledged droplet id must not vanish with the power.
 * `busy_timeout` comes first, because switching to WAL may already have to wait.
 */
export function openDatabase(file: string): { db: Db; connection: Database.Database } {
  const connection = withSteadyPlans(new Database(file));
  connection.pragma("busy_timeout = 10000");
  connection.pragma("journal_mode = WAL");
  connection.pragma("synchronous = FULL");
  connection.pragma("foreign_keys = ON");
  return { db: drizzle(connection), connection };
}

/**
 * Runs `work` in a `BEGIN IMMEDIATE` transaction, so that a read inside it is never stale when it writes. What it works
 * with is the database itself, whose prepared queries take part in the transaction: see prepared.ts.
 */
export function write<Result>(db: Db, work: (tx: Tx) => Result): Result {
  return db.transaction(() => work(db), { behavior: "immediate" });
}
