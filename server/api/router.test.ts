import { isTrackedEnvelope, TRPCError } from "@trpc/server";
import { afterAll, expect, test } from "vitest";
import { openDatabase, write } from "#db/client.ts";
import { instances, operations, users, variables, wakeUps } from "#db/schema.ts";
import { revokeSession } from "#server/auth/sessions.ts";
import { openVariables } from "#server/instances/variables.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { only } from "#server/operations/testing/testEngine.ts";
import type { DigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { createTestWeb, spawnWish } from "#server/testing/testWeb.ts";
import { appRouter } from "./router.ts";
import type { EventView } from "./views.ts";

const world = await createTestWeb();
const { db, web, caller, newSession } = world;
afterAll(() => world.close());

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
    Array.from({ length: 200 }, () => caller().instances.spawn(spawnWish())),
  );
  expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
  for (const outcome of outcomes)
    if (outcome.status === "rejected")
      expect(outcome.reason).toMatchObject({ code: "CONFLICT", message: /taken/ });
  expect(db.select().from(instances).all()).toHaveLength(1);
  expect(db.select().from(operations).all()).toHaveLength(1);
  expect(db.select().from(wakeUps).all()).toHaveLength(1);
});

test("how an instance answered is told of every hour, and of none that there isn't", async () => {
  const { instanceId } = await caller().instances.spawn(spawnWish({ slug: "healthy" }));
  const { answeredAt, hours } = await caller().instances.health({ instanceId });
  expect([answeredAt, hours.length, new Set(hours.map(({ state }) => state))]).toEqual([
    ...[null, 24],
    new Set(["unknown"]),
  ]);
  await expect(caller().instances.health({ instanceId: "nobody" })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
});

test("the same press sent again is the same instance", async () => {
  const again = spawnWish({ slug: "twice" });
  const first = await caller().instances.spawn(again);
  expect(await caller().instances.spawn(again)).toEqual(first);
});

test("secrets are sealed in the file and never leave the server", async () => {
  const secret = { name: "SMTP_PASSWORD", value: "hunter2-hunter2", secret: true };
  const plain = { name: "LOCALE", value: "sv-SE", secret: false };
  const { instanceId } = await caller().instances.spawn(
    spawnWish({ slug: "secret", variables: [secret, plain] }),
  );
  expect(JSON.stringify(db.select().from(variables).all())).not.toContain("hunter2");
  const { instance } = await caller().instances.get({ slug: "secret" });
  expect(instance.variables).toMatchObject([
    { name: "SMTP_PASSWORD", value: null },
    { name: "LOCALE", value: "sv-SE" },
  ]);
  const opened = openVariables(db, web.variablesKey, instanceId, 1);
  expect(opened.map((variable) => variable.name)).toEqual(["SMTP_PASSWORD", "LOCALE", "ADMIN_KEY"]);
  expect(opened[0]?.value).toBe("hunter2-hunter2");
});

test("what DigitalOcean does not offer is refused beside its field", async () => {
  await expect(caller().instances.spawn(spawnWish({ slug: "a1", region: "mars1" }))).rejects.toMatchObject({
    code: "BAD_REQUEST",
    cause: { fields: { region: expect.stringMatching(/Choose/) } },
  });
  await expect(caller().instances.spawn(spawnWish({ slug: "a1", version: "9.9.9" }))).rejects.toMatchObject({
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

test("an address that a foreign DNS record uses is refused in the form, before anything is bought", async () => {
  const { digitalocean } = web;
  const place = { slug: "foreign", domain: "intranet.localhost" };
  const userMessage = expect.stringMatching(/the Spawner didn't make/);
  try {
    web.digitalocean = only<DigitalOcean>("digitalocean", {
      ...{ regions: digitalocean.regions, sizes: digitalocean.sizes },
      findRecords: async () => [{ id: 7, type: "A", name: "foreign", data: "198.51.100.1" }],
    });
    expect(await caller().instances.checkSlug(place)).toMatchObject({ free: false, userMessage });
    await expect(caller().instances.spawn(spawnWish({ slug: "foreign" }))).rejects.toMatchObject({
      cause: { fields: { slug: userMessage } },
    });
    // The silence of DigitalOcean stops nobody.
    web.digitalocean.findRecords = async () => {
      throw new ProviderError({ userMessage: "…", detail: "503", retryable: true });
    };
    expect(await caller().instances.checkSlug(place)).toMatchObject({ free: true });
  } finally {
    web.digitalocean = digitalocean;
  }
});

test("destroy wants the slug, and waits for what is under way", async () => {
  const { instanceId, operationId } = await caller().instances.spawn(spawnWish({ slug: "gone" }));
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
  const { operationId, instanceId } = await caller().instances.spawn(spawnWish({ slug: "live" }));
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
  const mine = await newSession();
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
