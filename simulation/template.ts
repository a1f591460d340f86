import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { migrateDatabase } from "#db/migrate.ts";
import { type Env, readEnv } from "#server/env.ts";

/** Who clicks, and gets the mail. */
export const operator = "joe@intranet.localhost";

/** A migrated database with its one user, that each life begins with a copy of, and the configuration of them all. */
export function createTemplate(): { template: Buffer; env: Env } {
  const folder = mkdtempSync(join(tmpdir(), "spawner-simulation-"));
  try {
    const file = join(folder, "spawner.sqlite");
    migrateDatabase(file);
    const connection = new Database(file);
    connection.pragma("journal_mode = DELETE");
    connection
      .prepare(
        "insert into users (id, email, name, password_hash, created_at) values ('joe', ?, 'Joe', '', 1)",
      )
      .run(operator);
    connection.close();
    const env = readEnv({
      DATABASE_URL: "postgres://localhost/none",
      SECRET_KEY: "simulated-simulated-simulated",
      DATA_DIR: folder,
      BASE_DOMAINS: "intranet.example",
      DIGITALOCEAN_TOKEN: "dop_v1_simulated",
    });
    return { template: readFileSync(file), env };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
