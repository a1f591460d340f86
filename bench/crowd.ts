import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { inArray } from "drizzle-orm";
import { openDatabase } from "#db/client.ts";
import { operations, steps } from "#db/schema.ts";
import { machineSeconds, type Parts } from "./processes.ts";
import { press } from "./spawns.ts";
import type { Stack } from "./stack.ts";

export type Crowd = {
  /** Ms from the first click until the last spawn was done. */
  wall: number;
  /** The most that was in use meanwhile, MiB. */
  memory: Parts;
  /** Processor seconds that the machine spent, and those of the Spawner and its cloud among them. */
  seconds: { machine: number; spawner: number; cloud: number };
  /** Per step and spawn, the median of the ms from the click to its begin and to its end. */
  steps: Record<string, { begins: number; ends: number }>;
};

/**
 * Presses so many spawns at once and waits until all of them are done. Asks SQLite, not the dashboard, and seldom: what
 * is measured is the Spawner. Needs {@link answerEverywhere}, for a playbook that only waits installs no intranet.
 */
export async function spawnAtOnce(stack: Stack, name: string, count: number): Promise<Crowd> {
  const memory: Parts = { spawner: 0, cloud: 0, playbooks: 0 };
  const before = { machine: machineSeconds().busy, ...stack.seconds() };
  const began = Date.now();
  const slugs = Array.from({ length: count }, (_, index) => `${name}-${index}`);
  const ids = (await Promise.all(slugs.map((slug) => press(stack, slug)))).map((one) => one.operationId);
  const { db, connection } = openDatabase(join(stack.dataDir, "spawner.sqlite"));
  try {
    for (let round = 0; ; ) {
      await wait(500);
      round += 1;
      if (round % 20 === 0) {
        const used = stack.memory();
        for (const part of ["spawner", "cloud", "playbooks"] as const)
          memory[part] = Math.max(memory[part], used[part]);
      }
      const now = db.select().from(operations).where(inArray(operations.id, ids)).all();
      const failure = now.find((one) => one.state === "failed")?.failure;
      if (failure !== undefined) throw new Error(`A spawn failed: ${JSON.stringify(failure)}`);
      if (!now.every((one) => one.state === "done")) continue;
      const after = { machine: machineSeconds().busy, ...stack.seconds() };
      const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[numbers.length >> 1] ?? 0;
      const rows = db.select().from(steps).where(inArray(steps.operationId, ids)).all();
      const names = [...new Set(rows.map((row) => row.name))];
      return {
        wall: Math.max(...now.map((one) => one.endedAt ?? 0)) - began,
        memory,
        seconds: {
          machine: after.machine - before.machine,
          spawner: after.spawner - before.spawner,
          cloud: after.cloud - before.cloud,
        },
        steps: Object.fromEntries(
          names.map((step) => {
            const mine = rows.filter((row) => row.name === step);
            return [
              step,
              {
                begins: median(mine.map((row) => (row.startedAt ?? began) - began)),
                ends: median(mine.map((row) => (row.endedAt ?? began) - began)),
              },
            ];
          }),
        ),
      };
    }
  } finally {
    connection.close();
  }
}

/** An intranet at every droplet's address: loopback addresses that nothing else listens on lead here. */
export function answerEverywhere(stack: Stack, version: string): { close: () => void } {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ status: "ok", version }));
  });
  server.listen(stack.ports.app, "0.0.0.0");
  return { close: () => server.close() };
}
