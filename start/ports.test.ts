import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { findFreePort, isPortFree } from "./ports.ts";

test("no outgoing connection can take a port between its choice and its use", async () => {
  const [first = 0, last = 0] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  const chosen = await Promise.all(Array.from({ length: 50 }, () => findFreePort()));
  expect(chosen.filter((port) => port >= first && port <= last)).toEqual([]);
});

test("a port is not free that is listened on at any address", async () => {
  const port = await findFreePort();
  expect(await isPortFree(port)).toBe(true);
  const server = createServer().listen(port, "127.0.0.9");
  await once(server, "listening");
  expect(await isPortFree(port)).toBe(false);
  server.close();
  await once(server, "close");
});
