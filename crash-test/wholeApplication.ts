import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eq } from "drizzle-orm";
import { z } from "zod";
import { signIn } from "#bench/stack.ts";
import { openDatabase } from "#db/client.ts";
import { instances, operations } from "#db/schema.ts";
import { testToken } from "#local-cloud/testing/testToken.ts";
import { createClock } from "#server/clock.ts";
import { createEngine } from "#server/createEngine.ts";
import { readEnv } from "#server/env.ts";
import { retryOperation } from "#server/operations/cancelAndRetry.ts";
import { registry } from "#server/operations/registry.ts";
import { begin, insertInstance } from "#server/operations/testing/testEngine.ts";
import { startOf } from "#server/operations/testing/testStarts.ts";
import { findFreePort } from "#start/ports.ts";
import { clusterFolder, postgresAccount } from "#start/postgresPlace.ts";
import { descendantsOf, processesWith, type Running, runFile, signal, wait } from "./processes.ts";
import { createRandom, type Story, tell } from "./story.ts";
import { askCloud, brokenWithin, operationOf, whereIs } from "./world.ts";

const account = { email: "joe@intranet.localhost", password: "a password for the crash test" };
const settledWithinMs = 240_000;
const postgresAwayMs = 30_000;

type Application = Awaited<ReturnType<typeof startApplication>>;
type Trouble = {
  name: string;
  cause: (application: Application) => Promise<{ kills: number }>;
  /** Droplets go down with it: what needs one then may fail, and Retry has to bring it to its end. */
  takesDroplets?: boolean;
};

/** What happens to the application while a spawn and a backup with real playbooks are under way. */
const troubles: readonly Trouble[] = [
  { name: "worker killed", cause: ({ kill }) => kill("worker") },
  { name: "web killed while a spawn is pressed", cause: pressAndKillWeb },
  { name: "PostgreSQL killed", cause: ({ kill }) => kill("postgres") },
  { name: "local cloud killed", cause: ({ kill }) => kill("local-cloud"), takesDroplets: true },
  { name: "ansible-runner killed", cause: killPlaybooks },
  { name: "everything killed at once", cause: killEverything, takesDroplets: true },
  { name: `PostgreSQL away for ${postgresAwayMs / 1000} s`, cause: keepPostgresAway },
  { name: `PostgreSQL frozen for ${postgresAwayMs / 1000} s`, cause: freezePostgres },
  { name: "PostgreSQL's data deleted", cause: deletePostgres },
];

/**
 * The application as `npm start` runs it, supervisor and dashboard included. Each trouble comes `rounds` times, at
 * random moments; then everything has to come to its end by itself, and the rules have to hold.
 */
export async function wholeApplication(
  { seed, rounds, only }: { seed: number; rounds: number; only?: string | undefined },
  tellOne: (story: Story) => void,
): Promise<void> {
  const wanted = troubles.filter(({ name }) => only === undefined || `application: ${name}`.includes(only));
  if (wanted.length === 0) return;
  const application = await startApplication();
  try {
    const random = createRandom(seed);
    for (const trouble of wanted)
      for (let round = 1; round <= rounds; round += 1)
        tellOne(
          await tell(`application: ${trouble.name}, ${round}`, () => meet(application, trouble, random)),
        );
  } finally {
    await application.remove();
  }
}

async function meet(application: Application, { cause, takesDroplets }: Trouble, random: () => number) {
  const { engine, db } = application;
  const kept = db.select().from(instances).where(eq(instances.status, "running")).get()?.id;
  const begun = [begin(engine, insertInstance(db, { status: "spawning" }), registry.spawn)];
  if (kept !== undefined) begun.push(await startOf.backup.begin(engine, kept));
  await wait(500 + random() * 6000);
  const { kills } = await cause(application);
  const violations: string[] = [];
  const until = Date.now() + settledWithinMs;
  const live = () =>
    db
      .select()
      .from(operations)
      .all()
      .filter(({ state }) => state === "running" || state === "cancelling");
  const settle = async () => {
    while (live().length > 0 && Date.now() < until) await wait(100);
  };
  await settle();
  if (takesDroplets === true)
    for (const id of begun.filter((one) => operationOf(db, one).state === "failed"))
      retryOperation(engine, id, account.email);
  await settle();
  for (const id of begun) {
    if (operationOf(db, id).state !== "done") violations.push(whereIs(db, id));
  }
  violations.push(...(await application.broken()));
  return { violations, kills };
}

/** A click whose answer is lost with the web process, and the same click once more when that is back. */
async function pressAndKillWeb({ ports, db, kill, webIsUp }: Application) {
  const dashboard = `http://localhost:${ports.PORT}`;
  const cookie = await signIn(dashboard, account);
  const idempotencyKey = randomUUID();
  const press = () =>
    fetch(`${dashboard}/api/trpc/instances.spawn`, {
      method: "POST",
      headers: { cookie, "content-type": "application/json" },
      body: JSON.stringify({
        ...{ idempotencyKey, company: "Pressed", contactName: "Petra", contactEmail: "petra@acme.example" },
        ...{ slug: `pressed-${idempotencyKey.slice(0, 8)}`, domain: "intranet.localhost", region: "fra1" },
        ...{ size: "s-1vcpu-2gb", version: "2.14.0", variables: [] },
      }),
    });
  const first = press().catch(() => undefined);
  await wait(15);
  const killed = await kill("web");
  await first;
  await webIsUp();
  const again = await press();
  if (!again.ok) throw new Error(`The click is not taken once more: ${again.status} ${await again.text()}`);
  const made = db.select().from(instances).where(eq(instances.idempotencyKey, idempotencyKey)).all();
  if (made.length !== 1) throw new Error(`One click made ${made.length} instances.`);
  return killed;
}

async function killPlaybooks({ dataDir }: Application) {
  let playbooks: number[] = [];
  for (const until = Date.now() + 20_000; playbooks.length === 0 && Date.now() < until; await wait(50))
    playbooks = processesWith(`${dataDir}/runs/`);
  for (const pid of playbooks) signal(pid, "SIGKILL");
  return { kills: playbooks.length };
}

async function killEverything(application: Application) {
  const pids = [...application.processes().values(), ...processesWith(`${application.dataDir}/runs/`)];
  await application.killSupervisor();
  for (const pid of pids) signal(pid, "SIGKILL");
  await application.start();
  return { kills: pids.length + 1 };
}

/** Without this file PostgreSQL ends as soon as it is started: connections are refused, and its supervisor tries on. */
async function keepPostgresAway({ dataDir, kill }: Application) {
  const needed = join(clusterFolder(dataDir, postgresAccount()).folder, "global/pg_control");
  renameSync(needed, `${needed}.away`);
  try {
    const killed = await kill("postgres");
    await wait(postgresAwayMs);
    return killed;
  } finally {
    renameSync(`${needed}.away`, needed);
  }
}

async function freezePostgres({ processes }: Application) {
  const pid = processes().get("postgres") ?? 0;
  const all = [pid, ...descendantsOf(pid)];
  for (const one of all) signal(one, "SIGSTOP");
  await wait(postgresAwayMs);
  for (const one of [pid, ...descendantsOf(pid)]) signal(one, "SIGCONT");
  return { kills: 0 };
}

async function deletePostgres({ dataDir, kill }: Application) {
  rmSync(clusterFolder(dataDir, postgresAccount()).folder, { recursive: true, force: true });
  return kill("postgres");
}

const noted = z.array(z.object({ name: z.string(), pid: z.number() }));

async function startApplication() {
  const folder = mkdtempSync(join(tmpdir(), "spawner-crash-"));
  const dataDir = join(folder, "data");
  const log = join(folder, "application.log");
  const names = ["PORT", "LOCAL_CLOUD_PORT", "LOCAL_EDGE_PORT", "LOCAL_SSH_PORT", "LOCAL_WEB_PORT"];
  const ports: Record<string, string> = {};
  for (const name of names) ports[name] = String(await findFreePort());
  const env = {
    ...ports,
    DATA_DIR: dataDir,
    ADMIN_EMAIL: account.email,
    ADMIN_PASSWORD: account.password,
    LOCAL_CLOUD_TOKEN: testToken,
    LOCAL_BOOT_MS: "1000",
    LOCAL_ACTION_MS: "200",
    LOCAL_RATE_PER_MINUTE: "100000",
    LOCAL_RATE_PER_HOUR: "1000000",
    LOCAL_ADDRESS_BASE: "127.129",
  };
  let supervisor: Running;
  async function start(): Promise<void> {
    const before = says().length;
    supervisor = runFile("start/start.ts", { env, log });
    while (!says().slice(before).includes("Spawner is ready")) {
      if (supervisor.hasEnded()) throw new Error(`The application does not start: ${says().slice(before)}`);
      await wait(50);
    }
  }
  const says = (): string => {
    try {
      return readFileSync(log, "utf8");
    } catch {
      return "";
    }
  };
  await start();
  const processes = (): Map<string, number> =>
    new Map(
      noted
        .parse(JSON.parse(readFileSync(join(dataDir, "processes.json"), "utf8")))
        .map(({ name, pid }) => [name, pid]),
    );
  const given = readEnv({ ...env, DATABASE_URL: "postgresql://nobody@127.0.0.1:1/none" });
  const { db, connection } = openDatabase(given.databaseFile);
  // The worker sweeps up what is begun here within two seconds: no wake-up is needed.
  const engine = createEngine(given, db, createClock(db), () => {});
  const cloudUrl = `http://127.0.0.1:${ports.LOCAL_CLOUD_PORT}`;
  return {
    dataDir,
    ports,
    db,
    engine,
    start,
    processes,
    /** Ends one of its processes; the supervisor starts it again. */
    async kill(name: string): Promise<{ kills: number }> {
      const pid = processes().get(name);
      if (pid === undefined) throw new Error(`There is no process ${name}.`);
      signal(pid, "SIGKILL");
      while (processes().get(name) === pid) await wait(20);
      return { kills: 1 };
    },
    async webIsUp(): Promise<void> {
      const login = `http://localhost:${ports.PORT}/login`;
      for (const until = Date.now() + 60_000; Date.now() < until; await wait(50))
        if (
          await fetch(login).then(
            ({ ok }) => ok,
            () => false,
          )
        )
          return;
      throw new Error("The dashboard does not come back.");
    },
    killSupervisor: () => supervisor.kill(),
    broken: () =>
      brokenWithin(5000, {
        db,
        ask: (path) => askCloud(cloudUrl, path),
        isStored: async (key) => (await engine.providers.backups.find(key)) !== undefined,
      }),
    async remove(): Promise<void> {
      connection.close();
      signal(supervisor.pid, "SIGTERM");
      await Promise.race([supervisor.ended, wait(20_000)]);
      await supervisor.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
