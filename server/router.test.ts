import { randomUUID } from "node:crypto";
import { isTrackedEnvelope, TRPCError } from "@trpc/server";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase, write } from "../db/client.ts";
import { instances, operations, users, variables, wakeUps } from "../db/schema.ts";
import { readEnv } from "./env.ts";
import type { SpawnInput } from "./instances/rules.ts";
import { openVariables } from "./instances/variables.ts";
import { watchEvents } from "./live.ts";
import { appendEvent } from "./operations/events.ts";
import { createTestEngine } from "./operations/testEngine.ts";
import { appRouter } from "./router.ts";
import { deriveKey } from "./secrets.ts";
import { revokeSession, signIn } from "./sessions.ts";
import { addPerson } from "./settings/people.ts";
import type { EventView } from "./views.ts";
import type { Web } from "./web.ts";

const world = createTestEngine();
const { db } = world;
const env = {
  ...readEnv({
    DATABASE_URL: "postgres://localhost/none",
    SECRET_KEY: "0123456789abcdef0123",
    DATA_DIR: `${world.file}.data`,
  }),
  databaseFile: world.file,
};
const variablesKey = deriveKey(env.secretKey, "variables");
const region = { slug: "fra1", name: "Frankfurt 1", available: true };
const size = {
  slug: "s-1vcpu-2gb",
  memoryMb: 2048,
  vcpus: 1,
  diskGb: 50,
  priceMonthly: 12,
  regions: ["fra1"],
  available: true,
};
const web: Web = {
  env,
  db,
  connection: openDatabase(world.file).connection,
  digitalocean: {
    regions: async () => [region],
    sizes: async () => [size],
  } as unknown as Web["digitalocean"],
  variablesKey,
  sessionsKey: "unused",
  wake: () => {},
  live: watchEvents(env, db),
};
let sessionId = "";
const caller = (id: string | undefined = sessionId) => appRouter.createCaller({ web, sessionId: id });

beforeAll(async () => {
  await addPerson(db, { email: "joe@example.org", name: "Joe", password: "correct horse battery" }, "test");
  sessionId = (await newSession()) ?? "";
});
afterAll(() => world.close());

const newSession = async () =>
  (
    await signIn(db, {
      email: "joe@example.org",
      password: "correct horse battery",
      address: "::1",
      now: Date.now(),
    })
  )?.sessionId;

const wish = (over: Partial<SpawnInput> = {}): SpawnInput => ({
  clickKey: randomUUID(),
  company: "Acme Bakery",
  contactName: "Petra Lindqvist",
  contactEmail: "petra@acme.example",
  slug: "acme",
  domain: "intranet.localhost",
  region: "fra1",
  size: "s-1vcpu-2gb",
  version: "2.14.0",
  variables: [],
  ...over,
});

test("every procedure asks for a session itself", async () => {
  const paths = Object.keys(appRouter._def.procedures);
  expect(paths.length).toBeGreaterThan(15);
  for (const path of paths) {
    const call = path
      .split(".")
      .reduce<unknown>(
        (found, name) => Reflect.get(found as object, name),
        appRouter.createCaller({ web, sessionId: "made-up" }),
      );
    const outcome = await Promise.resolve()
      .then(() => (call as (input: unknown) => Promise<unknown>)({}))
      .then((result) =>
        result !== null && typeof result === "object" && Symbol.asyncIterator in result
          ? drain(result)
          : result,
      )
      .catch((error: unknown) => error);
    expect(outcome, path).toBeInstanceOf(TRPCError);
    expect((outcome as TRPCError).code, path).toBe("UNAUTHORIZED");
  }
});

async function drain(stream: object): Promise<unknown> {
  for await (const item of stream as AsyncIterable<unknown>) return item;
  return undefined;
}

test("200 presses for one address at once are one instance, and the others are told", async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 200 }, () => caller().instances.spawn(wish())),
  );
  expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
  for (const outcome of outcomes)
    if (outcome.status === "rejected")
      expect(outcome.reason).toMatchObject({ code: "CONFLICT", message: /taken/ });
  expect(db.select().from(instances).all()).toHaveLength(1);
  expect(db.select().from(operations).all()).toHaveLength(1);
  expect(db.select().from(wakeUps).all()).toHaveLength(1);
});

test("the same press sent again is the same instance", async () => {
  const again = wish({ slug: "twice" });
  const first = await caller().instances.spawn(again);
  expect(await caller().instances.spawn(again)).toEqual(first);
});

test("secrets are sealed in the file and never leave the server", async () => {
  const secret = { name: "SMTP_PASSWORD", value: "hunter2-hunter2", secret: true };
  const plain = { name: "LOCALE", value: "sv-SE", secret: false };
  const { instanceId } = await caller().instances.spawn(wish({ slug: "secret", variables: [secret, plain] }));
  expect(JSON.stringify(db.select().from(variables).all())).not.toContain("hunter2");
  const { instance } = await caller().instances.get({ slug: "secret" });
  expect(instance.variables).toMatchObject([
    { name: "SMTP_PASSWORD", value: null },
    { name: "LOCALE", value: "sv-SE" },
  ]);
  const opened = openVariables(db, variablesKey, instanceId, 1);
  expect(opened.map((variable) => variable.name)).toEqual(["SMTP_PASSWORD", "LOCALE", "ADMIN_KEY"]);
  expect(opened[0]?.value).toBe("hunter2-hunter2");
});

test("what DigitalOcean does not offer is refused beside its field", async () => {
  await expect(caller().instances.spawn(wish({ slug: "a1", region: "mars1" }))).rejects.toMatchObject({
    code: "BAD_REQUEST",
    cause: { fields: { region: expect.stringMatching(/Choose/) } },
  });
  await expect(caller().instances.spawn(wish({ slug: "a1", version: "9.9.9" }))).rejects.toMatchObject({
    cause: { fields: { version: expect.stringMatching(/Choose/) } },
  });
});

test("a slug is checked while it is typed", async () => {
  expect(await caller().instances.checkSlug({ slug: "acme", domain: "intranet.localhost" })).toMatchObject({
    free: false,
    suggestion: "acme-2",
  });
  expect(await caller().instances.checkSlug({ slug: "Acme", domain: "intranet.localhost" })).toMatchObject({
    free: false,
  });
  expect(await caller().instances.checkSlug({ slug: "fresh", domain: "intranet.localhost" })).toMatchObject({
    free: true,
  });
});

test("destroy wants the slug, and waits for what is under way", async () => {
  const { instanceId, operationId } = await caller().instances.spawn(wish({ slug: "gone" }));
  await expect(caller().instances.destroy({ instanceId, confirm: "gone" })).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
  });
  write(db, (tx) => {
    tx.update(operations).set({ state: "failed" }).run();
    tx.update(instances).set({ status: "failed" }).run();
  });
  await expect(caller().instances.destroy({ instanceId, confirm: "acme" })).rejects.toMatchObject({
    code: "BAD_REQUEST",
  });
  const first = await caller().instances.destroy({ instanceId, confirm: "gone" });
  expect(await caller().instances.destroy({ instanceId, confirm: "gone" })).toEqual(first);
  await expect(caller().operations.retry({ operationId })).rejects.toMatchObject({
    code: "PRECONDITION_FAILED",
  });
});

test("a page that follows gets every event once, in order, from where it left off", async () => {
  const { operationId, instanceId } = await caller().instances.spawn(wish({ slug: "live" }));
  const { lastEventId } = await caller().operations.log({ operationId });
  const stream = await caller().live({ lastEventId, operationId });
  const seen: EventView[] = [];
  const other = openDatabase(world.file);
  const count = 500;
  const reading = (async () => {
    for await (const item of stream) {
      if (isTrackedEnvelope(item)) seen.push(item[1] as EventView);
      if (seen.length === count) return;
    }
  })();
  for (let line = 0; line < count; line += 1)
    write(other.db, (tx) =>
      appendEvent(tx, {
        at: line,
        kind: "log",
        instanceId,
        operationId,
        step: "provision",
        data: { text: `line ${line}`, failed: false },
      }),
    );
  await reading;
  other.connection.close();
  expect(seen.map((event) => event.id)).toEqual(
    Array.from({ length: count }, (_, index) => lastEventId + 1 + index),
  );
  expect(seen.map((event) => (event.kind === "log" ? event.line.text : ""))).toEqual(
    Array.from({ length: count }, (_, index) => `line ${index}`),
  );
});

test("a stream ends when its session is revoked", async () => {
  const mine = (await newSession()) ?? "";
  const stream = await caller(mine).live({});
  const ended = (async () => {
    for await (const _ of stream);
    return "ended";
  })();
  revokeSession(db, mine, Date.now());
  expect(await ended).toBe("ended");
});

test("people: nobody's password hash leaves the server", async () => {
  const { people } = await caller().settings.people();
  expect(people[0]).toMatchObject({ email: "joe@example.org" });
  expect(JSON.stringify(people)).not.toContain(db.select().from(users).get()?.passwordHash);
});
