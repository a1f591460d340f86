import { eq } from "drizzle-orm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { users } from "#db/schema.ts";
import { createTestEngine } from "#server/operations/testing/testEngine.ts";
import { addPerson, changePassword, removePerson } from "./people.ts";
import { revokeSession, sessionMs, sessionUser, signIn } from "./sessions.ts";

const world = createTestEngine();
const { db } = world;
const password = "correct horse battery";
const attempt = (over: Partial<Parameters<typeof signIn>[1]> = {}) =>
  signIn(db, { email: "Joe@Example.org", password, address: "192.0.2.1", now: 1000, ...over });

beforeAll(() => addPerson(db, { email: "joe@example.org", name: "Joe", password }, "test"));
afterAll(() => world.close());

test("a password is kept as a salted scrypt hash", () => {
  const row = db.select().from(users).get();
  expect(row?.passwordHash).toMatch(/^scrypt\$/);
  expect(row?.passwordHash).not.toContain(password);
});

test("a session counts until it is over or revoked", async () => {
  const session = await attempt();
  const id = session?.sessionId ?? "";
  expect(sessionUser(db, id, 2000)?.email).toBe("joe@example.org");
  expect(sessionUser(db, id, 1000 + sessionMs)).toBeUndefined();
  revokeSession(db, id, 3000);
  expect(sessionUser(db, id, 3001)).toBeUndefined();
});

test("wrong password and unknown email are refused alike", async () => {
  expect(await attempt({ password: "wrong", now: 2000 })).toBeUndefined();
  expect(await attempt({ email: "nobody@example.org", now: 2000 })).toBeUndefined();
});

test("guessing is throttled for the account, and ends with its window", async () => {
  const email = "ann@example.org";
  await addPerson(db, { email, name: "Ann", password }, "test");
  const guesses = await Promise.allSettled(
    Array.from({ length: 12 }, (_, index) =>
      attempt({ email, password: "x", address: `198.51.100.${index}`, now: 10_000 }),
    ),
  );
  expect(guesses.filter((guess) => guess.status === "fulfilled")).toHaveLength(8);
  await expect(attempt({ email, now: 10_001 })).rejects.toThrow("Too many attempts");
  expect((await attempt({ email, now: 10_001 + 16 * 60_000 }))?.user.email).toBe(email);
});

test("a changed password ends all sessions; the last person stays", async () => {
  const session = await attempt({ now: 5_000_000 });
  const user = db.select().from(users).where(eq(users.email, "joe@example.org")).get();
  if (user === undefined) throw new Error("Joe is gone");
  await expect(changePassword(db, user, { current: "no", next: "a new long password" })).rejects.toThrow(
    "current password",
  );
  await changePassword(db, user, { current: password, next: "a new long password" });
  expect(sessionUser(db, session?.sessionId ?? "", 5_000_001)).toBeUndefined();
  for (const other of db.select().from(users).all())
    if (other.id !== user.id) removePerson(db, other.id, "test");
  expect(() => removePerson(db, user.id, "test")).toThrow("last person");
});
