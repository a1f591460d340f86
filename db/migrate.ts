import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { eq } from "drizzle-orm";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { openDatabase, type Tx, write } from "./client.ts";
import { listNames } from "./listOrder.ts";
import { instances } from "./schema.ts";

/** Brings the SQLite file to this version's schema. Run once, before web and worker start: two at once are not safe. */
export function migrateDatabase(file: string): void {
  mkdirSync(dirname(file), { recursive: true });
  const { db, connection } = openDatabase(file);
  // SQLite rebuilds tables when it alters them: references are checked again when all is done.
  connection.pragma("foreign_keys = OFF");
  migrate(db, { migrationsFolder: join(import.meta.dirname, "migrations") });
  write(db, nameForList);
  const broken = connection.pragma("foreign_key_check");
  connection.close();
  if (Array.isArray(broken) && broken.length > 0)
    throw new Error(
      `${file} has ${broken.length} rows that refer to something that is not there: ${JSON.stringify(broken[0])}. Put back the copy of DATA_DIR from before the upgrade.`,
    );
}

/** Gives the instances of an older version what they are sorted and searched by. */
function nameForList(tx: Pick<Tx, "select" | "update">): void {
  const rows = tx
    .select({ id: instances.id, company: instances.company })
    .from(instances)
    .where(eq(instances.sortName, ""))
    .all();
  for (const { id, company } of rows)
    tx.update(instances).set(listNames(company)).where(eq(instances.id, id)).run();
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === import.meta.filename) {
  const file = process.argv[2];
  if (file === undefined) throw new Error("Name the SQLite file: node db/migrate.ts <file>");
  migrateDatabase(file);
}
