import type { KeyObject } from "node:crypto";
import type Database from "better-sqlite3";
import { type Db, openDatabase } from "#db/client.ts";
import { type Live, watchEvents } from "./api/liveFeed.ts";
import { type Clock, createClock } from "./clock.ts";
import { type Env, readEnv } from "./env.ts";
import { createWaker } from "./operations/engine/wakeUps.ts";
import { budgetShares } from "./providers/digitalocean/budget.ts";
import { createDigitalOcean, type DigitalOcean } from "./providers/digitalocean/digitalocean.ts";
import { connectQueue, createQueueClient } from "./queue.ts";
import { createRequestLedger } from "./requestLedger.ts";
import { deriveKey } from "./secrets.ts";

export type Web = Clock & {
  env: Env;
  db: Db;
  connection: Database.Database;
  digitalocean: DigitalOcean;
  variablesKey: KeyObject;
  sessionsKey: string;
  wake: (operationId: string) => void;
  live: Live;
};

const held = globalThis as typeof globalThis & { spawnerWeb?: Web };

/** What the web process holds once. On globalThis, because Next may give each route its own copy of a module. */
export function web(): Web {
  held.spawnerWeb ??= createWeb(readEnv());
  return held.spawnerWeb;
}

function createWeb(env: Env): Web {
  const { db, connection } = openDatabase(env.databaseFile);
  const clock = createClock(db);
  const addJob = createQueueClient(clock, () => connectQueue(env.databaseUrl));
  const waker = createWaker(db, clock, addJob);
  return {
    ...clock,
    env,
    db,
    connection,
    digitalocean: createDigitalOcean({
      ...env.digitalocean,
      ...clock,
      ledger: createRequestLedger(db, clock),
      budgetShare: budgetShares.web,
    }),
    variablesKey: deriveKey(env.secretKey, "variables"),
    sessionsKey: deriveKey(env.secretKey, "sessions").export().toString("base64"),
    wake: waker.wake,
    live: watchEvents(env, db),
  };
}
