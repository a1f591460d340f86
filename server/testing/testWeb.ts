import { randomUUID } from "node:crypto";
import { openDatabase } from "#db/client.ts";
import { watchEvents } from "#server/api/liveFeed.ts";
import { appRouter } from "#server/api/router.ts";
import { addPerson } from "#server/auth/people.ts";
import { signIn } from "#server/auth/sessions.ts";
import { readEnv } from "#server/env.ts";
import type { SpawnInput } from "#server/instances/inputs.ts";
import { createTestEngine, only, realClock } from "#server/operations/testing/testEngine.ts";
import type { DigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import { deriveKey } from "#server/secrets.ts";
import type { Web } from "#server/web.ts";

const person = { email: "joe@example.org", name: "Joe", password: "correct horse battery" };

const sizeOf = (slug: string, priceMonthlyCents: number, regions: string[]) => ({
  ...{ slug, priceMonthlyCents, regions, available: true },
  ...{ memoryMb: 2048, vcpus: 1, diskGb: 50 },
});

/** For tests: the whole router on a database of its own, with Joe signed in. Nothing runs what it begins. */
export async function createTestWeb() {
  const world = createTestEngine();
  const env = {
    ...readEnv({
      DATABASE_URL: "postgres://localhost/none",
      SECRET_KEY: "0123456789abcdef0123",
      DATA_DIR: `${world.file}.data`,
    }),
    databaseFile: world.file,
  };
  const web: Web = {
    ...realClock,
    env,
    db: world.db,
    connection: openDatabase(world.file).connection,
    digitalocean: only<DigitalOcean>("digitalocean", {
      regions: async () => [{ slug: "fra1", name: "Frankfurt 1", available: true }],
      sizes: async () => [
        sizeOf("s-1vcpu-2gb", 1200, ["fra1"]),
        sizeOf("s-2vcpu-4gb", 2400, ["fra1"]),
        sizeOf("s-4vcpu-8gb", 4800, ["nyc1"]),
      ],
      findRecords: async () => [],
    }),
    variablesKey: deriveKey(env.secretKey, "variables"),
    sessionsKey: "unused",
    wake: () => {},
    live: watchEvents(env, world.db),
  };
  await addPerson(world.db, person, "test");
  const newSession = async () => {
    const { email, password } = person;
    const signedIn = await signIn(world.db, { email, password, address: "::1", now: Date.now() });
    if (signedIn === undefined) throw new Error("Joe could not sign in.");
    return signedIn.sessionId;
  };
  const sessionId = await newSession();
  return {
    ...world,
    web,
    newSession,
    caller: (id: string = sessionId) => appRouter.createCaller({ web, sessionId: id }),
    close() {
      web.live.close();
      web.connection.close();
      world.close();
    },
  };
}

/** What the form would send for Acme Bakery. */
export const spawnWish = (over: Partial<SpawnInput> = {}): SpawnInput => ({
  idempotencyKey: randomUUID(),
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
