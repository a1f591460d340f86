import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { openDatabase } from "./client.ts";

/** Brings the SQLite file to this version's schema. Run once, before web and worker start: two at once are not safe. */
export function migrateDatabase(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const { db, connection } = openDatabase(file);
  // SQLite rebuilds tables when it alters them: references are checked again when all is done.
  connection.pragma("foreign_keys = OFF");
  migrate(db, { migrationsFolder: join(import.meta.dirname, "migrations") });
  const broken = connection.pragma("foreign_key_check");
  connection.close();
  if (Array.isArray(broken) && broken.length > 0)
    throw new Error(
      `${file} has ${broken.length} rows that refer to something that is not there: ${JSON.stringify(broken[0])}. Put back the copy of DATA_DIR from before the upgrade.`,
    );
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const file = process.argv[2];
  if (file === undefined) throw new Error("Name the SQLite file: node db/migrate.ts <file>");
  migrateDatabase(file);
}
