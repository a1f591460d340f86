import { and, count, eq, gt, isNull } from "drizzle-orm";
import { type Db, write } from "#db/client.ts";
import { audit, sessions, users } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { newId } from "#server/ids.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";
import { revokeSessionsOf } from "./sessions.ts";

/** Everybody who may sign in, and how many sessions each has now. */
export const listPeople = (db: Pick<Db, "select">, now: number) =>
  db
    .select({
      id: users.id,
      email: users.email,
      name: users.name,
      createdAt: users.createdAt,
      sessions: count(sessions.id),
    })
    .from(users)
    .leftJoin(
      sessions,
      and(eq(sessions.userId, users.id), isNull(sessions.revokedAt), gt(sessions.expiresAt, now)),
    )
    .groupBy(users.id)
    .orderBy(users.createdAt)
    .all();

/** Adds somebody who may sign in. */
export async function addPerson(
  db: Db,
  person: { email: string; name: string; password: string },
  who: string,
): Promise<void> {
  const passwordHash = await hashPassword(person.password);
  const email = person.email.toLowerCase();
  write(db, (tx) => {
    if (tx.select().from(users).where(eq(users.email, email)).get() !== undefined)
      throw new CommandError("conflict", `${email} has already been added.`, {
        email: "This person has already been added.",
      });
    const at = Date.now();
    tx.insert(users).values({ id: newId(), email, name: person.name, passwordHash, createdAt: at }).run();
    tx.insert(audit)
      .values({ at, who, what: `added ${email}` })
      .run();
  });
}

/** Removes a person and ends their sessions; the last one stays, or nobody could sign in any more. */
export function removePerson(db: Db, id: string, who: string): void {
  write(db, (tx) => {
    const person = tx.select().from(users).where(eq(users.id, id)).get();
    if (person === undefined) return;
    const left = tx.select({ count: count() }).from(users).get();
    if ((left?.count ?? 0) < 2)
      throw new CommandError("not-now", "You can't remove the last person. Add another one first.");
    tx.delete(users).where(eq(users.id, id)).run();
    tx.insert(audit)
      .values({ at: Date.now(), who, what: `removed ${person.email}` })
      .run();
  });
}

/** Changes one's own password and ends all of one's sessions. */
export async function changePassword(
  db: Db,
  user: { id: string; email: string },
  { current, next }: { current: string; next: string },
): Promise<void> {
  const row = db.select().from(users).where(eq(users.id, user.id)).get();
  if (row === undefined || !(await verifyPassword(current, row.passwordHash)))
    throw new CommandError("invalid", "The current password is wrong.", {
      current: "This isn't the current password.",
    });
  const passwordHash = await hashPassword(next);
  const at = Date.now();
  write(db, (tx) => {
    tx.update(users).set({ passwordHash }).where(eq(users.id, user.id)).run();
    tx.insert(audit).values({ at, who: user.email, what: "changed their password" }).run();
  });
  revokeSessionsOf(db, user.id, at);
}
