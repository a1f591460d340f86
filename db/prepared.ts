import { sql } from "drizzle-orm";
import type { Db } from "./client.ts";

/**
 * Queries that are built once for each database and run many times: to build one costs several times what running it
 * does. They take part in whatever transaction is open, because a database has one connection.
 */
export function prepared<Reader extends Partial<Db>, Queries>(
  prepare: (tx: Reader) => Queries,
): (tx: Reader) => Queries {
  const known = new WeakMap<Reader, Queries>();
  return (tx) => {
    const queries = known.get(tx) ?? prepare(tx);
    known.set(tx, queries);
    return queries;
  };
}

/** A value that is given each time a prepared query runs. */
export const given = sql.placeholder;

/** The same for the `set` of an update. The value goes to SQLite as it is: JSON has to be text. */
export const setTo = (name: string) => sql`${given(name)}`;
