import { eq, sql } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { write } from "#db/client.ts";
import { drift, type instances, mail, type OperationKind, operations } from "#db/schema.ts";
import { spawnerItself } from "#server/api/views.ts";
import { everyStep, StepFailure, step } from "#server/operations/engine/define.ts";
import { insertOperation } from "#server/operations/engine/insertOperation.ts";
import { registry } from "#server/operations/registry.ts";
import { emailReady } from "#server/operations/steps/readyMail.ts";
import {
  createTestEngine,
  insertInstance,
  insertUser,
  operationOf,
  runToEnd,
} from "#server/operations/testing/testEngine.ts";
import { ProviderError } from "#server/providers/errors.ts";
import type { Mail } from "#server/providers/mail/mail.ts";
import { checkMail } from "#server/settings/connections.ts";
import { settled, testTimers } from "#server/testing/testTimers.ts";
import { addOrphanMail } from "./outbox.ts";
import { keepSendingMail, type Mailbox, sendDueMail } from "./sender.ts";

const hour = 3_600_000;
const joe = "joe@intranet.localhost";
let world: ReturnType<typeof createTestEngine>;
let timers: ReturnType<typeof testTimers>;
/** What reached the other side, in order. */
let sent: Mail[];
/** What the other side does with the next mail, once it has it. */
let answer: (mail: Mail) => Promise<{ id: string }> | { id: string };
let mailbox: Mailbox;

beforeEach(() => {
  world = createTestEngine();
  timers = testTimers(world.clock);
  sent = [];
  answer = () => ({ id: "accepted" });
  const { now, monotonic, urlOf } = world.engine;
  mailbox = {
    ...{ now, monotonic, urlOf, after: timers.after, db: world.db },
    dashboardUrl: "http://spawner.test",
    templates: {
      ready: async ({ company, tookMs }) => letter(`${company} is ready after ${tookMs}`),
      failed: async ({ operation, userMessage, aftermath }) =>
        letter(`${operation}: ${userMessage} ${aftermath ?? ""}`),
      stale: async ({ company, userMessage }) => letter(`${company}: ${userMessage}`),
      orphan: async ({ what, monthly, since }) => letter(`${what} costs ${monthly}, found ${since}`),
    },
    mailer: {
      kind: "resend",
      idempotentForMs: 20 * hour,
      send: async (mail) => {
        sent.push(mail);
        return answer(mail);
      },
      check: async () => ({ ok: true, userMessage: "Well." }),
    },
  };
});
afterEach(() => world.close());

const letter = (text: string) => ({ subject: text, html: text, text });
const rows = () => world.db.select().from(mail).all();
const refuses = (init: Partial<ConstructorParameters<typeof ProviderError>[0]>) => () =>
  Promise.reject(new ProviderError({ userMessage: "Refused.", detail: "", retryable: false, ...init }));
const lostAnswer = refuses({ userMessage: "No answer.", retryable: true, unclear: true });

const addUser = (email: string) => insertUser(world.db, email);

/** Runs an operation of this kind that has one step, to its end. */
async function run(
  kind: OperationKind,
  only: ReturnType<typeof step> | ReturnType<typeof emailReady>,
  { who = joe, instanceId = insertInstance(world.db) } = {},
): Promise<string> {
  const definition = { ...registry[kind], steps: [only], undo: [] };
  delete definition.rescue;
  world.engine.registry = { ...registry, [kind]: definition };
  const id = write(world.db, (tx) =>
    insertOperation(tx, { kind, instanceId, who, clock: world.engine, what: "began" }, definition),
  );
  await runToEnd(world.engine, id, (until) => {
    world.clock.now = Math.max(world.clock.now, until);
  });
  return id;
}
const fails = () => step("broken", "Broken", () => Promise.reject(new StepFailure("It broke.", "")));

/** Lets time pass in which the sender looks at its mail every quarter of an hour. */
async function wait(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += hour / 4) {
    world.clock.now += hour / 4;
    await sendDueMail(mailbox);
  }
}

describe("recipients", () => {
  test("are whoever began it", async () => {
    addUser(joe);
    addUser("ann@example.org");
    await run("backup", fails(), { who: "ann@example.org" });
    expect(rows()).toMatchObject([{ kind: "failed", recipient: "ann@example.org" }]);
  });

  test("of what the Spawner began are whoever made the instance", async () => {
    addUser(joe);
    addUser("ann@example.org");
    await run("backup", fails(), { who: spawnerItself });
    expect(rows()).toMatchObject([{ kind: "failed", recipient: joe }]);
  });

  test("are all people when that one has left: one mail each", async () => {
    addUser("ann@example.org");
    addUser("bob@example.org");
    await run("backup", fails(), { who: spawnerItself });
    await sendDueMail(mailbox);
    expect(sent.map((each) => each.to)).toEqual(["ann@example.org", "bob@example.org"]);
    expect(new Set(sent.map((each) => each.idempotencyKey)).size).toBe(2);
  });
});

describe("what the Spawner began", () => {
  test("and fails every minute is one mail a day", async () => {
    addUser(joe);
    const instanceId = insertInstance(world.db, { status: "destroyed", destroyedAt: 1 });
    for (let minute = 0; minute < 5; minute += 1) {
      await run("purge", fails(), { who: spawnerItself, instanceId });
      world.clock.now += 60_000;
    }
    expect(rows()).toHaveLength(1);
    world.clock.now += 24 * hour - 5 * 60_000;
    await run("purge", fails(), { who: spawnerItself, instanceId });
    expect(rows()).toHaveLength(2);
  });

  test("is told apart by instance and by kind", async () => {
    addUser(joe);
    const instanceId = insertInstance(world.db);
    await run("backup", fails(), { who: spawnerItself, instanceId });
    await run("test-restore", fails(), { who: spawnerItself, instanceId });
    await run("backup", fails(), { who: spawnerItself });
    await run("backup", fails(), { who: joe, instanceId });
    expect(rows()).toHaveLength(4);
  });
});

describe("a mail about an operation", () => {
  test.each([
    ["done", "ready", emailReady],
    ["failed", "failed", fails],
  ] as const)("that is %s is written in the transaction that ends it", async (state, kind, only) => {
    addUser(joe);
    world.db.run(
      sql.raw(`create trigger never before update of state on operations when new.state = '${state}'
        begin select raise(abort, 'It must not end.'); end`),
    );
    // How it goes on from there is not what this is about.
    await run("spawn", only()).catch(() => undefined);
    expect(world.db.select({ kind: mail.kind }).from(mail).all()).not.toContainEqual({ kind });
    world.db.run(sql.raw("drop trigger never"));
    await run("spawn", only());
    expect(world.db.select({ kind: mail.kind }).from(mail).all()).toContainEqual({ kind });
    // Steps write; only the sender sends.
    expect(sent).toEqual([]);
  });

  test("that is ready is written by its last step, which ends it", () => {
    const writing = Object.values(registry)
      .map((definition) => everyStep(definition).map(({ step: { name } }) => name))
      .filter((names) => names.includes("email"));
    expect(writing.length).toBeGreaterThan(0);
    for (const names of writing) expect(names.indexOf("email")).toBe(names.length - 1);
  });
});

describe("without Resend", () => {
  beforeEach(() => addUser(joe));

  test("the operation is done, and its one mail is sent when Resend is back", async () => {
    answer = refuses({ userMessage: "Too many requests.", retryable: true });
    const id = await run("spawn", emailReady());
    expect(operationOf(world.db, id).state).toBe("done");
    await sendDueMail(mailbox);
    expect(rows()).toMatchObject([{ kind: "ready", sentAt: null, failure: "Too many requests." }]);
    answer = () => ({ id: "accepted" });
    await wait(2 * hour);
    expect(rows()).toMatchObject([{ providerId: "accepted", failure: null }]);
    expect(sent).toHaveLength(2);
    expect(sent[1]).toEqual(sent[0]);
  });

  test("a mail whose answer was lost is tried again only while its key still counts", async () => {
    const triedAt: number[] = [];
    answer = () => {
      triedAt.push(world.clock.now);
      return lostAnswer();
    };
    await run("spawn", emailReady());
    await wait(12 * hour);
    expect(triedAt.length).toBeGreaterThan(5);
    expect(rows()).toMatchObject([{ abandonedAt: null }]);
    await wait(48 * hour);
    expect(new Set(sent.map((each) => each.idempotencyKey)).size).toBe(1);
    expect((triedAt.at(-1) ?? 0) - (triedAt[0] ?? 0)).toBeLessThanOrEqual(20 * hour);
    expect(rows()[0]).toMatchObject({
      sentAt: null,
      failure: expect.stringContaining("may have been delivered"),
    });
    expect(rows()[0]?.abandonedAt).not.toBeNull();
  });

  test("nor is one tried later whose sender died before it heard the answer", async () => {
    await run("spawn", emailReady());
    answer = () => new Promise(() => {});
    void sendDueMail(mailbox);
    await settled();
    expect(sent).toHaveLength(1);
    // Its process is gone. A successor comes after the key has been forgotten.
    world.clock.now += 25 * hour;
    answer = () => ({ id: "accepted" });
    await sendDueMail(mailbox);
    expect(sent).toHaveLength(1);
    expect(rows()[0]?.abandonedAt).not.toBeNull();
  });

  test("a clear refusal is not held against the mail, however long it takes", async () => {
    answer = refuses({ retryable: true });
    await run("spawn", emailReady());
    await wait(48 * hour);
    answer = () => ({ id: "accepted" });
    await wait(2 * hour);
    expect(rows()).toMatchObject([{ providerId: "accepted", abandonedAt: null }]);
  });

  test("a mail that is refused for good is left after a few tries", async () => {
    answer = refuses({ userMessage: "The address is not one." });
    await run("spawn", emailReady());
    await wait(72 * hour);
    expect(sent.length).toBeGreaterThan(1);
    expect(sent.length).toBeLessThan(10);
    expect(rows()[0]).toMatchObject({ failure: "The address is not one.", sentAt: null });
    expect(rows()[0]?.abandonedAt).not.toBeNull();
    expect(await checkMail(mailbox.mailer, world.db, world.clock.now)).toEqual({
      ok: false,
      userMessage: "Well. 1 email wasn't sent in the last 7 days. Latest error: The address is not one.",
    });
    const later = world.clock.now + 8 * 24 * hour;
    expect(await checkMail(mailbox.mailer, world.db, later)).toEqual({ ok: true, userMessage: "Well." });
  });

  test("a provider that says nothing holds up its own mail, not the others", async () => {
    await run("spawn", emailReady());
    await run("spawn", emailReady());
    let first = true;
    answer = () => {
      if (!first) return { id: "accepted" };
      first = false;
      return new Promise(() => {});
    };
    const sending = sendDueMail(mailbox);
    await timers.pass(60_000);
    await sending;
    expect(rows().map((row) => row.sentAt !== null)).toEqual([false, true]);
  });
});

test("two workers do not send the same mail", async () => {
  addUser(joe);
  await run("spawn", emailReady());
  let release = (_answer: { id: string }): void => {};
  answer = () =>
    new Promise((resolve) => {
      release = resolve;
    });
  const first = sendDueMail(mailbox);
  await settled();
  await sendDueMail({ ...mailbox });
  release({ id: "accepted" });
  await first;
  expect(sent).toHaveLength(1);
});

test("a sender that was suspended neither sends nor rewords what its successor has sent", async () => {
  addUser(joe);
  await run("spawn", emailReady());
  let finish = (): void => {};
  const slow = {
    ...mailbox.templates,
    ready: () =>
      new Promise<ReturnType<typeof letter>>((resolve) => {
        finish = () => resolve(letter("another wording"));
      }),
  };
  const suspended = sendDueMail({ ...mailbox, templates: slow });
  await settled();
  world.clock.now += 2 * 60_000;
  await sendDueMail(mailbox);
  finish();
  await suspended;
  expect(sent).toHaveLength(1);
  expect(rows()[0]?.subject).toBe(sent[0]?.subject);
});

test("a process sends one mail after the other, and stops when it is told to", async () => {
  addUser(joe);
  for (let count = 0; count < 3; count += 1) await run("spawn", emailReady());
  let now = 0;
  let most = 0;
  answer = async () => {
    now += 1;
    most = Math.max(most, now);
    await new Promise<void>((resolve) => timers.after(5000, resolve));
    now -= 1;
    return { id: "accepted" };
  };
  const sender = keepSendingMail(mailbox);
  await timers.pass(30_000);
  expect(sent).toHaveLength(3);
  expect(most).toBe(1);
  sender.stop();
  await run("spawn", emailReady());
  await timers.pass(30_000);
  expect(sent).toHaveLength(3);
});

test("ready says how long it took, whatever the wall clock did meanwhile", async () => {
  addUser(joe);
  let wall = 0;
  world.engine.now = () => wall;
  mailbox.now = world.engine.now;
  wall = 9 * hour;
  const slow = emailReady();
  let looks = 0;
  await run("spawn", {
    ...slow,
    run: async (context) => {
      looks += 1;
      if (looks > 1) return slow.run(context);
      wall = hour;
      return { done: false, afterMs: 90_000 };
    },
  });
  await sendDueMail(mailbox);
  expect(sent[0]?.subject).toBe("Acme Bakery is ready after 90000");
});

describe("what is there after a failure", () => {
  async function mailAfter(kind: OperationKind, instance: Partial<typeof instances.$inferInsert>) {
    addUser(joe);
    const instanceId = insertInstance(world.db, instance);
    await run(kind, fails(), { instanceId });
    await sendDueMail(mailbox);
    return sent[0]?.text ?? "";
  }
  const gone = { status: "destroyed", destroyedAt: 1, dropletId: null } as const;

  test.each([
    "purge",
    "bring-back",
    "restore-as-new",
    "spawn",
    "test-restore",
    "remove-orphaned-droplet",
  ] as const)("%s without a droplet: nothing is said to be free of charge", async (kind) => {
    expect(await mailAfter(kind, gone)).not.toMatch(/nothing costs|Nothing is lost/);
  });

  test("of an orphan, what was to be deleted", async () => {
    const text = await mailAfter("delete-orphan", { status: "running", dropletId: 5 });
    expect(text).toMatch(/may still exist at DigitalOcean and cost money/);
  });

  test("of a purge, some may be left", async () => {
    expect(await mailAfter("purge", gone)).toMatch(/snapshots and backups .* may remain/);
  });

  test("of a destroy, the droplet", async () => {
    const text = await mailAfter("destroy", { status: "running", dropletId: 5 });
    expect(text).toMatch(/droplet exists and costs \$12\.00 a month/);
  });

  test("of an instance that is gone, its snapshot", async () => {
    const text = await mailAfter("bring-back", { ...gone, snapshotId: 7 });
    expect(text).toMatch(/no droplet.* snapshot .* costs money/);
  });

  test("of a spawn whose request was not answered, perhaps a droplet", async () => {
    addUser(joe);
    const id = await run("spawn", fails());
    world.db
      .update(operations)
      .set({ facts: { createAskedAt: 1 } })
      .where(eq(operations.id, id))
      .run();
    await sendDueMail(mailbox);
    expect(sent[0]?.text).toMatch(/was requested/);
  });

  test("of a backup, the intranet and its other backups", async () => {
    expect(await mailAfter("backup", { dropletId: 5 })).toMatch(/earlier backups/);
  });
});

test("a failure that has been retried meanwhile does not read like a blank", async () => {
  addUser(joe);
  const id = await run("backup", fails());
  world.db.update(operations).set({ failure: null, round: 1 }).where(eq(operations.id, id)).run();
  await sendDueMail(mailbox);
  expect(sent[0]?.text).toContain("retried");
});

test("an orphan's mail names what it is and what it costs", async () => {
  addUser(joe);
  const instanceId = insertInstance(world.db);
  const finding = {
    ...{ type: "orphaned-droplet", dropletId: 7, name: "acme.intranet.io", createdAt: 1 },
    ...{ ownTag: "spawner-op-o", isAdoptable: false },
  };
  world.db
    .insert(drift)
    .values({ key: "k", instanceId, finding, monthlyCents: 1200, foundAt: 0, foundMonotonic: 0 })
    .run();
  write(world.db, (tx) => addOrphanMail(tx, world.engine, { id: instanceId, createdBy: joe }, 7));
  await sendDueMail(mailbox);
  expect(sent).toMatchObject([
    { to: joe, subject: "The droplet acme.intranet.io costs $12.00, found 1970-01-01, 00:00 UTC" },
  ]);
});
