import { and, count, eq, gt, isNull, lt } from "drizzle-orm";
import { type Db, write } from "#db/client.ts";
import { sessions, signInFailures, users } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";

export const sessionMs = 14 * 24 * 3_600_000;
const throttleWindowMs = 15 * 60_000;
/** Failed attempts in the window before an account, or an address, has to wait. */
const failuresAllowed = { account: 8, address: 30 };

export class TooManyAttempts extends Error {
  constructor() {
    super("Too many attempts. Try again in 15 minutes.");
    this.name = "TooManyAttempts";
  }
}

/** A hash of nothing: an unknown email takes as long to refuse as a wrong password. */
const nobodysHash = hashPassword("nobody");

/**
 * Checks email and password and begins a session.
 * Returns undefined when they are not right; throws {@link TooManyAttempts} when account or address must wait.
 */
export async function signIn(
  db: Db,
  attempt: { email: string; password: string; address: string; now: number },
): Promise<{ sessionId: string; user: { id: string; email: string; name: string } } | undefined> {
  const email = attempt.email.trim().toLowerCase();
  const keys = { account: `account ${email}`, address: `address ${attempt.address}` };
  // The attempt counts before it is checked, so that many at once do not slip through together.
  const failureIds = write(db, (tx) => {
    tx.delete(signInFailures)
      .where(lt(signInFailures.at, attempt.now - throttleWindowMs))
      .run();
    for (const kind of ["account", "address"] as const) {
      const failures = tx
        .select({ count: count() })
        .from(signInFailures)
        .where(eq(signInFailures.key, keys[kind]))
        .get();
      if ((failures?.count ?? 0) >= failuresAllowed[kind]) throw new TooManyAttempts();
    }
    return Object.values(keys).map(
      (key) =>
        tx.insert(signInFailures).values({ key, at: attempt.now }).returning({ id: signInFailures.id }).get()
          .id,
    );
  });
  const user = db.select().from(users).where(eq(users.email, email)).get();
  const right = await verifyPassword(attempt.password, user?.passwordHash ?? (await nobodysHash));
  if (user === undefined || !right) return undefined;
  return write(db, (tx) => {
    for (const id of failureIds) tx.delete(signInFailures).where(eq(signInFailures.id, id)).run();
    const sessionId = newId();
    tx.insert(sessions)
      .values({ id: sessionId, userId: user.id, createdAt: attempt.now, expiresAt: attempt.now + sessionMs })
      .run();
    return { sessionId, user: { id: user.id, email: user.email, name: user.name } };
  });
}

/** The person behind a session that is neither over nor revoked. */
export function sessionUser(db: Db, sessionId: string, now: number) {
  return db
    .select({ id: users.id, email: users.email, name: users.name })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(sessions.id, sessionId), isNull(sessions.revokedAt), gt(sessions.expiresAt, now)))
    .get();
}

/** Ends one session. */
export function revokeSession(db: Db, sessionId: string, now: number): void {
  db.update(sessions)
    .set({ revokedAt: now })
    .where(and(eq(sessions.id, sessionId), isNull(sessions.revokedAt)))
    .run();
}

/** Ends all sessions of a person. */
export function revokeSessionsOf(db: Db, userId: string, now: number): void {
  db.update(sessions)
    .set({ revokedAt: now })
    .where(and(eq(sessions.userId, userId), isNull(sessions.revokedAt)))
    .run();
}
