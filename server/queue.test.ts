import { createServer, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { wakeUps } from "#db/schema.ts";
import { registry } from "./operations/registry.ts";
import { begin, createTestEngine, insertInstance, realClock } from "./operations/testing/testEngine.ts";
import {
  type AddJob,
  createQueueClient,
  createQueuePool,
  createWaker,
  type QueueConnection,
} from "./queue.ts";

type Added = { operationId: string; runAt: Date | undefined; at: number };

let world: ReturnType<typeof createTestEngine>;
let added: Added[];
let isAway: boolean;
let waker: ReturnType<typeof createWaker>;

beforeEach(() => {
  world = createTestEngine(realClock);
  added = [];
  isAway = false;
  const addJob: AddJob = async (_task, payload, spec = {}) => {
    if (isAway) throw new Error("PostgreSQL is away");
    added.push({ ...payload, runAt: spec.runAt, at: Date.now() });
  };
  waker = createWaker(world.db, realClock, addJob);
});
afterEach(() => world.close());

/** An operation whose wake-up is due at this time. */
function operationDueAt(dueAt: number): string {
  const id = begin(world.engine, insertInstance(world.db), registry.spawn);
  setDue(id, dueAt);
  return id;
}
const setDue = (id: string, dueAt: number) =>
  world.db.update(wakeUps).set({ dueAt, sentAt: null }).where(eq(wakeUps.operationId, id)).run();
const sentAt = (id: string) =>
  world.db.select().from(wakeUps).where(eq(wakeUps.operationId, id)).get()?.sentAt ?? null;
const flushed = () => new Promise((next) => setImmediate(next));
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await wait(5);
}

test("a wake-up that is due is handed over at once", async () => {
  const id = operationDueAt(Date.now() - 5);
  waker.wake(id);
  await until(() => added.length > 0);
  expect(added).toMatchObject([{ operationId: id, runAt: undefined }]);
  // It is on its way: it is not handed over again before its time to get there is over.
  waker.sweep(60_000);
  await flushed();
  expect(added).toHaveLength(1);
  waker.sweep(-1);
  await flushed();
  expect(added).toHaveLength(2);
});

test("one that is due soon is kept, and handed over when it is due and not before", async () => {
  const dueAt = Date.now() + 80;
  const id = operationDueAt(dueAt);
  waker.wake(id);
  await until(() => added.length > 0);
  expect(added[0]?.at).toBeGreaterThanOrEqual(dueAt);
  expect(added).toMatchObject([{ operationId: id, runAt: undefined }]);
});

test("the newest wish counts: an earlier time replaces the one that was kept", async () => {
  const id = operationDueAt(Date.now() + 50_000);
  waker.wake(id);
  await flushed();
  expect(added).toEqual([]);
  setDue(id, Date.now());
  waker.wake(id);
  await until(() => added.length > 0);
  await flushed();
  expect(added).toHaveLength(1);
});

test("one that is far away is left to the queue, with its time", async () => {
  const dueAt = Date.now() + 3_600_000;
  const id = operationDueAt(dueAt);
  waker.wake(id);
  await until(() => sentAt(id) !== null);
  expect(added).toMatchObject([{ operationId: id, runAt: new Date(dueAt) }]);
});

test("what PostgreSQL did not take, and what a former process kept, is swept up", async () => {
  const id = operationDueAt(Date.now());
  isAway = true;
  waker.wake(id);
  await flushed();
  expect(added).toEqual([]);
  isAway = false;
  waker.sweep(3000);
  await until(() => added.length > 0);
  expect(added[0]?.operationId).toBe(id);
});

test("a job that PostgreSQL neither takes nor refuses is given up, and swept up", async () => {
  const late: (() => void)[] = [];
  const clock = {
    ...realClock,
    after: (ms: number, callback: () => void) => {
      if (ms === 10_000) late.push(callback);
      return () => {};
    },
  };
  let isSilent = true;
  const addJob: AddJob = (_task, payload) => {
    if (isSilent) return new Promise<never>(() => {});
    added.push({ ...payload, runAt: undefined, at: Date.now() });
    return Promise.resolve();
  };
  waker = createWaker(world.db, clock, addJob);
  const id = operationDueAt(Date.now());
  waker.wake(id);
  await until(() => late.length > 0);
  isSilent = false;
  // Behind the one that hangs nothing is sent.
  waker.sweep(-1);
  await flushed();
  expect(added).toEqual([]);
  late[0]?.();
  await until(() => added.length > 0);
  expect(added[0]?.operationId).toBe(id);
});

describe("a process that only adds jobs", () => {
  const job = ["advance", { operationId: "x" }] as const;
  const connection = (
    addJob: () => Promise<unknown>,
    released: string[] = [],
    name = "",
  ): QueueConnection => ({
    addJob: addJob,
    release: async () => void released.push(name),
  });

  test("connects anew after PostgreSQL could not be reached", async () => {
    let attempts = 0;
    const add = createQueueClient(realClock, async () => {
      attempts += 1;
      if (attempts === 1) throw new Error("PostgreSQL is away");
      return connection(async () => "added");
    });
    await expect(add(...job)).rejects.toThrow("away");
    expect(await add(...job)).toBe("added");
    expect(await add(...job)).toBe("added");
    expect(attempts).toBe(2);
  });

  test("connects anew after a connection was lost, with or without a word", async () => {
    const released: string[] = [];
    let tellLate = (): void => {};
    const clock = {
      ...realClock,
      after: (_ms: number, callback: () => void) => {
        tellLate = callback;
        return () => {};
      },
    };
    const connections = [
      connection(() => Promise.reject(new Error("terminated")), released, "first"),
      connection(() => new Promise<never>(() => {}), released, "second"),
      connection(async () => "added", released, "third"),
    ];
    const add = createQueueClient(
      clock,
      async () => connections.shift() ?? connection(async () => "unexpected"),
    );
    await expect(add(...job)).rejects.toThrow("terminated");
    const silent = add(...job);
    await flushed();
    tellLate();
    await expect(silent).rejects.toThrow("did not answer");
    expect(await add(...job)).toBe("added");
    expect(released).toEqual(["first", "second"]);
  });
});

test("a connection that has fallen silent is given up, and another one takes its place", async () => {
  let connections = 0;
  const sockets: Socket[] = [];
  const ready = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);
  // Lets everybody in and answers nothing.
  const server = createServer((socket) => {
    connections += 1;
    sockets.push(socket);
    socket.once("data", () => socket.write(ready));
    socket.on("error", () => {});
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = z.object({ port: z.number() }).parse(server.address());
  const pool = createQueuePool(`postgresql://joe:secret@127.0.0.1:${port}/queue`, 1, 100);
  for (let look = 1; look <= 3; look += 1) {
    const client = await pool.connect();
    await expect(client.query("select 1")).rejects.toThrow("timeout");
    client.release();
    expect(connections).toBe(look);
  }
  for (const socket of sockets) socket.destroy();
  server.close();
  await pool.end();
});
