import type { Database } from "better-sqlite3";

/**
 * Lets statements keep their plans. SQLite as better-sqlite3 builds it (with STAT4) plans a prepared statement anew at
 * each run when a parameter that it has compared has been bound since, be it to the same text: under an ORDER BY, in an
 * OR, beside a partial index. That takes 10 to 50 times as long as most runs do. Behind a plus, which changes no value,
 * a parameter is nothing that a plan could depend on.
 */
export function withSteadyPlans(connection: Database): Database {
  const prepare = connection.prepare.bind(connection);
  return Object.assign(connection, { prepare: (sql: string) => prepare(steady(sql)) });
}

/** The same statement with a plus before each parameter, but not within texts and names. */
const steady = (sql: string): string =>
  sql.replaceAll(/'[^']*'|"[^"]*"|\?/g, (part) => (part === "?" ? "+?" : part));
