import { and, count, eq, gt, inArray, isNull, lt, max } from "drizzle-orm";
import { type Db, type Tx, write } from "#db/client.ts";
import { sessions, signInFailures, users } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import { hashPassword, verifyPassword } from "./passwords.ts";

export const sessionMs = 14 * 24 * 3_600_000;
/** A failed attempt counts for a day. */
const failuresCountMs = 24 * 3_600_000;
/** Failures without a delay: people mistype, and several of them may share an address. */
const freeFailures = { account: 5, address: 20 };
const longestDelayMs = 15 * 60_000;

export class TooManyAttempts extends Error {
  constructor(waitMs: number) {
    super(`Too many attempts. Try again in ${duration(waitMs)}.`);
    this.name = "TooManyAttempts";
  }
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return seconds === 1 ? "1 second" : `${seconds} seconds`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

/** A hash of nothing: an unknown email takes as long to refuse as a wrong password. */
const nobodysHash = hashPassword("nobody");

type Attempt = {
  email: string;
  password: string;
  /** Where it comes from, if a trusted proxy says so. */
  address?: string | undefined;
  /** The browser, if it has signed in to this account before: nobody else's wrong guesses count against it. */
  device?: Device | undefined;
  now: number;
};

/** A browser that has signed in as somebody. */
export type Device = { id: string; userId: string };

/**
 * Checks email and password and begins a session.
 * Returns undefined when they are not right; throws {@link TooManyAttempts} when account, address or device must wait.
 */
export async function signIn(
  db: Db,
  attempt: Attempt,
): Promise<{ sessionId: string; user: { id: string; email: string; name: string } } | undefined> {
  const email = attempt.email.trim().toLowerCase();
  const user = db.select().from(users).where(eq(users.email, email)).get();
  const { device } = attempt;
  const keys = [
    device !== undefined && device.userId === user?.id ? `device ${device.id}` : `account ${email}`,
    ...(attempt.address === undefined ? [] : [`address ${attempt.address}`]),
  ];
  // The attempt counts before it is checked, so that many at once do not slip through together.
  const failureIds = write(db, (tx) => {
    tx.delete(signInFailures)
      .where(lt(signInFailures.at, attempt.now - failuresCountMs))
      .run();
    const waitMs = Math.max(...keys.map((key) => msUntilNextTry(tx, key, attempt.now)));
    if (waitMs > 0) throw new TooManyAttempts(waitMs);
    return keys.map(
      (key) =>
        tx.insert(signInFailures).values({ key, at: attempt.now }).returning({ id: signInFailures.id }).get()
          .id,
    );
  });
  const right = await verifyPassword(attempt.password, user?.passwordHash ?? (await nobodysHash));
  if (user === undefined || !right) return undefined;
  return write(db, (tx) => {
    tx.delete(signInFailures).where(inArray(signInFailures.id, failureIds)).run();
    const sessionId = newId();
    tx.insert(sessions)
      .values({ id: sessionId, userId: user.id, createdAt: attempt.now, expiresAt: attempt.now + sessionMs })
      .run();
    return { sessionId, user: { id: user.id, email: user.email, name: user.name } };
  });
}

/** How long an account, an address or a device has to wait: twice as long after each failure beyond the free ones. */
function msUntilNextTry(tx: Tx, key: string, now: number): number {
  const failures = tx
    .select({ count: count(), last: max(signInFailures.at) })
    .from(signInFailures)
    .where(eq(signInFailures.key, key))
    .get();
  const free = key.startsWith("address ") ? freeFailures.address : freeFailures.account;
  const beyond = (failures?.count ?? 0) - free;
  if (beyond < 0) return 0;
  const delayMs = Math.min(longestDelayMs, 1000 * 2 ** Math.min(beyond, 20));
  return Math.max(0, (failures?.last ?? 0) + delayMs - now);
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
