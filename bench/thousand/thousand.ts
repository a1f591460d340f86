import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { asc, count, eq } from "drizzle-orm";
import { z } from "zod";
import { withPostgres } from "#crash-test/postgres.ts";
import { endEverythingAtExit } from "#crash-test/processes.ts";
import { openDatabase } from "#db/client.ts";
import { migrateDatabase } from "#db/migrate.ts";
import { operations } from "#db/schema.ts";
import { testAuthorization, testToken } from "#local-cloud/testing/testToken.ts";
import { createClock } from "#server/clock.ts";
import { readEnv } from "#server/env.ts";
import { spawnInstance } from "#server/instances/commands/spawnInstance.ts";
import { createWaker } from "#server/operations/engine/wakeUps.ts";
import { only } from "#server/operations/testing/testEngine.ts";
import { budgetShares } from "#server/providers/digitalocean/budget.ts";
import { createDigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import { connectQueue, createQueueClient } from "#server/queue.ts";
import { createRequestLedger } from "#server/requestLedger.ts";
import { deriveKey } from "#server/secrets.ts";
import type { Web } from "#server/web.ts";
import { findFreePort } from "#start/ports.ts";
import { nodeArgs, workerHeap } from "#start/services.ts";
import { fasterClock, type Pace } from "./fasterClock.ts";

/**
 * Very many spawns clicked at once, within DigitalOcean's limits: a worker process, PostgreSQL, the local cloud's API over
 * HTTP with the limits enforced, and this process as the dashboard. The limits make that take more than a quarter of an
 * hour, so time passes faster here for the Spawner, the cloud and the limits alike.
 */

const factor = 4;

/**
 * The fewest requests an equally careful script needs. For each spawn: buy the droplet, check that the name is free
 * (DigitalOcean accepts a second record with the same name), create the record. And it must read each droplet's IP address
 * once, from pages of 200.
 */
export const fewest = (spawns: number): number => 3 * spawns + Math.ceil(spawns / 200);

export type Thousand = {
  done: number;
  failed: number;
  /** Of the worker process, in MiB: before the spawns, and the peak while they ran. */
  memory: { idle: number; peak: number };
  requests: { total: number; refused: number; counts: Record<string, number> };
  /** From the clicks until all were done: by the Spawner's clock, and by this machine's. */
  minutes: number;
  realMinutes: number;
};

export function measureThousand(spawns: number, say: (text: string) => void): Promise<Thousand> {
  endEverythingAtExit();
  return withPostgres((databaseUrl) => run(databaseUrl, spawns, say));
}

async function run(databaseUrl: string, spawns: number, say: (text: string) => void): Promise<Thousand> {
  const folder = mkdtempSync(join(tmpdir(), "spawner-thousand-"));
  const children: ChildProcess[] = [];
  const endChildren = () => {
    for (const child of children) child.kill("SIGTERM");
  };
  process.once("exit", endChildren);
  const intranets = createServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ status: "ok", version: "2.14.0" }));
  });
  await new Promise<void>((resolve) => intranets.listen(0, "127.0.0.1", resolve));
  try {
    const cloudPort = String(await findFreePort());
    const variables = {
      ...{ DATA_DIR: folder, DATABASE_URL: databaseUrl, SECRET_KEY: "a secret key for the benchmark" },
      ...{ LOCAL_CLOUD_PORT: cloudPort, PLAYBOOKS_AT_ONCE: "1000", LOCAL_CLOUD_TOKEN: testToken },
      LOCAL_EDGE_PORT: String((intranets.address() as AddressInfo).port),
    };
    const env = readEnv(variables);
    migrateDatabase(env.databaseFile);
    const { db, connection } = openDatabase(env.databaseFile);
    const real = createClock(db);
    const pace: Pace = { factor, now: real.now(), monotonic: real.monotonic() };
    const clock = fasterClock(real, pace);

    const start = async (file: string, args: string[], isReady: string) => {
      const child = fork(join(import.meta.dirname, file), args, {
        execArgv: nodeArgs(file, ...(file === "worker.ts" ? workerHeap : [])).slice(0, -1),
        env: { PATH: process.env.PATH, NODE_ENV: "production", ...variables },
        stdio: ["ignore", "pipe", "inherit", "ipc"],
      });
      children.push(child);
      await new Promise<void>((resolve, reject) => {
        child.once("exit", (code) => reject(new Error(`${file} ended with ${code}.`)));
        child.once("message", () => resolve());
        child.stdout?.on("data", (text: Buffer) => {
          if (text.toString().includes(isReady)) resolve();
        });
      });
      return child;
    };
    await start("cloud.ts", [folder, cloudPort, JSON.stringify(pace)], "");
    const worker = await start("worker.ts", [JSON.stringify(pace)], "worker ready");
    const residentMiB = () =>
      Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${worker.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;

    const waker = createWaker(
      db,
      clock,
      createQueueClient(clock, () => connectQueue(databaseUrl)),
    );
    const web = only<Web>("web", {
      ...clock,
      ...{ env, db, wake: waker.wake, variablesKey: deriveKey(env.secretKey, "variables") },
      digitalocean: createDigitalOcean({
        ...env.digitalocean,
        ...clock,
        ledger: createRequestLedger(db, clock),
        budgetShare: budgetShares.web,
      }),
    });
    const press = (slug: string) =>
      spawnInstance(
        web,
        {
          ...{ idempotencyKey: randomUUID(), company: `Bench ${slug}`, contactName: "Petra" },
          ...{ contactEmail: "petra@acme.example", slug, domain: "intranet.localhost", region: "fra1" },
          ...{ size: "s-1vcpu-2gb", version: "2.14.0", variables: [] },
        },
        "bench",
      );
    const states = () =>
      Object.fromEntries(
        db
          .select({ state: operations.state, count: count() })
          .from(operations)
          .groupBy(operations.state)
          .all()
          .map((row) => [row.state, row.count]),
      );
    const settled = async (each: () => void) => {
      for (;;) {
        const { running = 0, cancelling = 0 } = states();
        if (running + cancelling === 0) return;
        each();
        await wait(250);
      }
    };

    // These teach the Spawner how long a droplet takes to boot, as in an installation in use.
    for (let index = 0; index < 3; index += 1) {
      await press(`warm-${index}`);
      await settled(() => {});
    }
    await clock.wait(70_000);
    const idle = residentMiB();
    const before = await requestsTo(env.digitalocean.apiUrl);
    const doneBefore = states().done ?? 0;
    const from = { real: real.monotonic(), clock: clock.monotonic() };
    await Promise.all(Array.from({ length: spawns }, (_, index) => press(`crowd-${index}`)));
    say(
      `  clicked in ${real.monotonic() - from.real} ms, on the Spawner's clock ${clock.monotonic() - from.clock}`,
    );
    let peak = idle;
    let saidAt = real.monotonic();
    await settled(() => {
      peak = Math.max(peak, residentMiB());
      if (real.monotonic() - saidAt < 30_000) return;
      saidAt = real.monotonic();
      say(`  ${Math.round((clock.monotonic() - from.clock) / 60_000)} min: ${states().done} done`);
    });
    const minutes = (clock.monotonic() - from.clock) / 60_000;
    const realMinutes = (real.monotonic() - from.real) / 60_000;
    const { done = 0, failed = 0 } = states();
    const failure = db
      .select()
      .from(operations)
      .where(eq(operations.state, "failed"))
      .orderBy(asc(operations.sequence))
      .get();
    if (failure !== undefined) say(`  ${JSON.stringify(failure.failure)}`);
    const after = await requestsTo(env.digitalocean.apiUrl);
    connection.close();
    return {
      ...{ done: done - doneBefore, failed, memory: { idle, peak }, minutes, realMinutes },
      requests: {
        total: after.total - before.total,
        refused: after.refused - before.refused,
        counts: Object.fromEntries(
          Object.entries(after.counts).map(([route, times]) => [route, times - (before.counts[route] ?? 0)]),
        ),
      },
    };
  } finally {
    endChildren();
    intranets.close();
    await Promise.all(
      children.map((child) => child.exitCode ?? new Promise((resolve) => child.once("exit", resolve))),
    );
    process.off("exit", endChildren);
    rmSync(folder, { recursive: true, force: true });
  }
}

const counted = z.object({
  counts: z.record(z.string(), z.number()),
  answers: z.record(z.string(), z.number()),
});

async function requestsTo(cloud: string) {
  const { counts, answers } = counted.parse(
    await (await fetch(`${cloud}/_requests`, { headers: testAuthorization })).json(),
  );
  const total = Object.values(counts).reduce((sum, times) => sum + times, 0);
  return { total, counts, refused: answers["429"] ?? 0 };
}

if (process.argv[1] === import.meta.filename)
  console.log(
    JSON.stringify(
      await measureThousand(Number(process.argv[2] ?? 1000), (text) => process.stderr.write(`${text}\n`)),
      null,
      2,
    ),
  );
