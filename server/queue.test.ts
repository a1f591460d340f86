import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { realClock } from "./operations/testing/testEngine.ts";
import { createQueueClient, createQueuePool, type QueueConnection } from "./queue.ts";

const flushed = () => new Promise((next) => setImmediate(next));

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
    await expect(silent).rejects.toThrow("didn't answer");
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
