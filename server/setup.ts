import { randomBytes } from "node:crypto";
import { count } from "drizzle-orm";
import { openDatabase } from "#db/client.ts";
import { migrateDatabase } from "#db/migrate.ts";
import { users } from "#db/schema.ts";
import { spawnerItself } from "./api/views.ts";
import { addPerson } from "./auth/people.ts";
import { readEnv } from "./env.ts";

/** Process entry, before web and worker: brings the database up to date and makes the first user when there is none. */
const env = readEnv();
migrateDatabase(env.databaseFile);
const { db, connection } = openDatabase(env.databaseFile);
const people = db.select({ count: count() }).from(users).get();
if (people?.count === 0) {
  const { email } = env.admin;
  const password = env.admin.password ?? randomBytes(12).toString("base64url");
  const name = (email.split("@")[0] ?? email).replace(/^./, (first) => first.toUpperCase());
  await addPerson(db, { email, name, password }, spawnerItself);
  process.stdout.write(
    env.admin.password === undefined
      ? `Sign in as ${email} with the password ${password} (shown this once)\n`
      : `Sign in as ${email} with the password in ADMIN_PASSWORD\n`,
  );
}
connection.close();
