import { eq } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { signInFailures, users } from "#db/schema.ts";
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

describe("guessing", () => {
  const email = "ann@example.org";
  const guess = (over: Partial<Parameters<typeof signIn>[1]> = {}) =>
    attempt({ email, password: "x", ...over });
  const minute = 60_000;
  const haveFailed = (key: string, times: number) =>
    db
      .insert(signInFailures)
      .values(Array.from({ length: times }, () => ({ key, at: 10_000 })))
      .run();
  beforeAll(() => addPerson(db, { email, name: "Ann", password }, "test"));
  afterEach(() => db.delete(signInFailures).run());

  test("is free a few times, many at once included, then takes twice as long each time", async () => {
    const guesses = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => guess({ address: `198.51.100.${index}`, now: 10_000 })),
    );
    expect(guesses.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
    let now = 10_000;
    for (const seconds of [1, 2, 4, 8, 16, 32]) {
      const sentence = `Try again in ${seconds} second${seconds === 1 ? "" : "s"}.`;
      await expect(guess({ now })).rejects.toThrow(sentence);
      await expect(guess({ now: now + seconds * 1000 - 1 })).rejects.toThrow("Too many attempts");
      now += seconds * 1000;
      expect(await guess({ now })).toBeUndefined();
    }
    await expect(guess({ now })).rejects.toThrow("Try again in 2 minutes.");
  });

  test("never takes longer than a quarter of an hour, and is forgotten after a day", async () => {
    haveFailed(`account ${email}`, 500);
    await expect(attempt({ email, now: 10_001 })).rejects.toThrow("Try again in 15 minutes.");
    expect((await attempt({ email, now: 10_000 + 15 * minute }))?.user.email).toBe(email);
    expect(await guess({ now: 10_000 + 25 * 60 * minute })).toBeUndefined();
  });

  test("doesn't delay a browser in which the person has signed in before", async () => {
    const userId = (await attempt({ email, now: 1000 }))?.user.id ?? "";
    haveFailed(`account ${email}`, 5);
    await expect(attempt({ email, now: 10_006 })).rejects.toThrow("Too many attempts");
    const device = { id: "a-browser", userId };
    expect(await attempt({ email, device, now: 10_007 })).toBeDefined();
    // Somebody else's browser isn't theirs, and theirs isn't free to guess on.
    const other = attempt({ email, device: { id: "a-browser", userId: "somebody else" }, now: 10_008 });
    await expect(other).rejects.toThrow("Too many attempts");
    haveFailed(`device ${device.id}`, 5);
    await expect(attempt({ email, device, now: 10_016 })).rejects.toThrow("Too many attempts");
  });

  test("of many accounts from one address is slowed down too", async () => {
    await attempt({ email: "nobody-0@example.org", address: "198.51.100.1", now: 10_000 });
    haveFailed("address 198.51.100.1", 19);
    const next = { email: "nobody-20@example.org", now: 10_001 };
    await expect(attempt({ ...next, address: "198.51.100.1" })).rejects.toThrow("Too many attempts");
    expect(await attempt({ ...next, address: "198.51.100.2" })).toBeUndefined();
  });
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
