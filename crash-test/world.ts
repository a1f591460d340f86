import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { and, asc, eq, inArray } from "drizzle-orm";
import { makeWorkerUtils, type WorkerUtils } from "graphile-worker";
import { z } from "zod";
import { type Db, openDatabase, write } from "#db/client.ts";
import { migrateDatabase } from "#db/migrate.ts";
import { instances, operations, settings, steps, wakeUps } from "#db/schema.ts";
import { testAuthorization, testToken } from "#local-cloud/testing/testToken.ts";
import { anchorName, anchorSchema, createClock } from "#server/clock.ts";
import { createEngine } from "#server/createEngine.ts";
import { type Env, readEnv } from "#server/env.ts";
import { advance } from "#server/operations/engine/advance.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { createWaker } from "#server/operations/engine/wakeUps.ts";
import { brokenRules } from "#server/operations/testing/testInvariants.ts";
import { findFreePort } from "#start/ports.ts";
import { createDatabase } from "#start/postgres.ts";
import { type Running, runFile, wait } from "./processes.ts";
import { diskOf, postsFile, standIns, withoutBudget } from "./standIns.ts";

export type World = Awaited<ReturnType<typeof createWorld>>;

export type WorldOptions = {
  /** A PostgreSQL that worlds may share: each has a database of its own there. */
  postgresUrl: string;
  /** Real ansible-runner and intranets instead of stand-ins. */
  isReal?: boolean;
  /** Where the Spawner's own data lies, apart from the cloud's; a folder of the world by default. */
  dataDir?: string;
};

/** First numbers of the droplets' addresses: worlds live side by side on one machine. */
let nextBase = 130 + (process.pid % 60);
let nextDatabase = 0;

/**
 * A Spawner to kill: a local cloud of its own (a process, whose state is the outside world's and is never lost with
 * ours), SQLite, a queue, and an engine in this process that presses the buttons as the dashboard would.
 */
export async function createWorld({ postgresUrl, isReal = false, ...options }: WorldOptions) {
  const folder = mkdtempSync(join(tmpdir(), "spawner-crash-"));
  const dataDir = options.dataDir ?? join(folder, "data");
  mkdirSync(dataDir, { recursive: true });
  nextDatabase += 1;
  const databaseUrl = await createDatabase(postgresUrl, `crash_${process.pid}_${nextDatabase}`);
  const [cloudPort, edgePort, sshPort, webPort] = await freePorts();
  nextBase = nextBase >= 250 ? 130 : nextBase + 1;
  const ports = {
    LOCAL_CLOUD_PORT: String(cloudPort),
    LOCAL_EDGE_PORT: String(edgePort),
    LOCAL_SSH_PORT: String(sshPort),
    LOCAL_WEB_PORT: String(webPort),
  };
  const cloudEnv = {
    ...ports,
    DATA_DIR: folder,
    LOCAL_CLOUD_TOKEN: testToken,
    LOCAL_BOOT_MS: "50",
    LOCAL_ACTION_MS: "50",
    LOCAL_LIST_LAG_MS: "100",
    LOCAL_RATE_PER_MINUTE: "100000",
    LOCAL_RATE_PER_HOUR: "1000000",
    LOCAL_DROPLET_LIMIT: "1000",
    LOCAL_ADDRESS_BASE: `127.${nextBase}`,
  };
  const cloudUrl = `http://127.0.0.1:${cloudPort}`;
  const cloudFolder = join(folder, "cloud");
  const startCloud = async (): Promise<Running> => {
    const running = runFile("local-cloud/main.ts", { env: cloudEnv, log: join(folder, "cloud.log") });
    while (!(await replies(`${cloudUrl}/releases`))) {
      if (running.hasEnded()) throw new Error(lastWords(folder, "cloud"));
      await wait(30);
    }
    return running;
  };
  const workerEnv = {
    ...ports,
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl,
    SECRET_KEY: "a secret key for the crash test",
    LOCAL_CLOUD_TOKEN: testToken,
    PLAYBOOKS_AT_ONCE: "20",
    CRASH_FOLDER: folder,
    ...(isReal ? {} : { CRASH_CLOUD: cloudFolder }),
  };
  const env = readEnv(workerEnv);
  migrateDatabase(env.databaseFile);
  let cloud = await startCloud();
  const utils = await makeWorkerUtils({ connectionString: databaseUrl });
  await utils.migrate();
  let database = openInstallation(env, utils, isReal ? undefined : cloudFolder);

  return {
    folder,
    env,
    databaseUrl,
    cloudUrl,
    cloudFolder,
    get db(): Db {
      return database.db;
    },
    get engine(): Engine {
      return database.engine;
    },
    get cloud(): Running {
      return cloud;
    },
    async restartCloud(): Promise<void> {
      cloud = await startCloud();
    },
    /** A worker under the plan of this world. `under` is a command that runs it, such as unshare. */
    startWorker: (name: string, { under = [], DATA_DIR = dataDir }: Partial<WorkerStart> = {}): Running =>
      runFile("crash-test/worker.ts", {
        env: { ...workerEnv, DATA_DIR, CRASH_WORKER: name },
        log: join(folder, `${name}.log`),
        under,
      }),
    /** Closes SQLite, so that its folder can be taken away; {@link reopen} opens it again, perhaps elsewhere. */
    closeDatabase: () => database.connection.close(),
    reopen(DATA_DIR = dataDir): void {
      database = openInstallation(
        readEnv({ ...workerEnv, DATA_DIR }),
        utils,
        isReal ? undefined : cloudFolder,
      );
    },
    /**
     * Sets the monotonic clock of what is started from now on ahead: leases end, and what DigitalOcean's lists may not
     * show yet would be shown by now. The local cloud's show it after 0.1 s.
     */
    passTime(ms: number): void {
      write(database.db, (tx) => {
        const row = tx.select().from(settings).where(eq(settings.name, anchorName)).get();
        const anchor = anchorSchema.parse(JSON.parse(row?.value ?? ""));
        const value = JSON.stringify({ ...anchor, offset: anchor.offset + ms });
        tx.update(settings).set({ value }).where(eq(settings.name, anchorName)).run();
      });
    },
    /** What the rules say once all is quiet. */
    broken: () =>
      brokenWithin(5000, {
        db: database.db,
        ask: (path) => askCloud(cloudUrl, path),
        isStored: async (key) => (await database.engine.providers.backups.find(key)) !== undefined,
      }),
    async close(): Promise<void> {
      database.connection.close();
      await utils.release();
      await endCloud(cloud);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type WorkerStart = { under: readonly string[]; DATA_DIR: string };

/** What the cloud answers to a GET below /v2/; of a list, all pages. */
export async function askCloud(cloudUrl: string, path: string): Promise<Record<string, unknown>> {
  const whole: Record<string, unknown> = {};
  for (let page = 1; ; page += 1) {
    const answer = await fetch(`${cloudUrl}/v2/${path}&page=${page}`, {
      headers: testAuthorization,
    });
    const { links, ...lists } = listAnswer.parse(await answer.json());
    for (const [name, value] of Object.entries(lists))
      if (Array.isArray(value)) whole[name] = [...(Array.isArray(whole[name]) ? whole[name] : []), ...value];
    if (links?.pages?.next === undefined) return whole;
  }
}

/** The rules that are broken. The cloud's lists lag: what is broken is looked at again until `ms` are over. */
export async function brokenWithin(
  ms: number,
  database: Parameters<typeof brokenRules>[0],
): Promise<string[]> {
  const until = Date.now() + ms;
  for (;;) {
    const broken = await brokenRules(database);
    if (broken.length === 0 || Date.now() > until) return broken;
    await wait(100);
  }
}

const listAnswer = z.looseObject({
  links: z.object({ pages: z.object({ next: z.string().optional() }).optional() }).optional(),
});

function openInstallation(env: Env, utils: WorkerUtils, cloudFolder: string | undefined) {
  const { db, connection } = openDatabase(env.databaseFile);
  const clock = createClock(db);
  const waker = createWaker(db, clock, utils.addJob);
  const engine = createEngine(env, db, clock, waker.wake);
  Object.assign(engine.providers, withoutBudget(env, clock));
  if (cloudFolder !== undefined)
    Object.assign(engine.providers, standIns({ cloud: cloudFolder, runs: env.runsDir }));
  return { db, connection, engine };
}

/** Its droplets are processes of their own: it takes them down in good order. */
async function endCloud(cloud: Running): Promise<void> {
  process.kill(cloud.pid, "SIGTERM");
  await Promise.race([cloud.ended, wait(10_000)]);
  await cloud.kill();
}

async function freePorts(): Promise<[number, number, number, number]> {
  return [await findFreePort(), await findFreePort(), await findFreePort(), await findFreePort()];
}

const replies = (url: string): Promise<boolean> =>
  fetch(url).then(
    async (answer) => {
      await answer.body?.cancel();
      return answer.ok;
    },
    () => false,
  );

/** The end of a process' log without stacks, for whoever has to find out why. */
export const lastWords = (folder: string, name: string): string =>
  readFileSync(join(folder, `${name}.log`), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !/^\s+at |INFO: /.test(line))
    .slice(-6)
    .join("\n");

/** Plays an operation to its end in this process: what must have happened before a story begins. */
export async function play({ engine, db }: Pick<World, "engine" | "db">, operationId: string): Promise<void> {
  for (let round = 0; round < 5000; round += 1) {
    await advance(engine, operationId);
    const wakeUp = db.select().from(wakeUps).where(eq(wakeUps.operationId, operationId)).get();
    if (wakeUp === undefined) break;
    await wait(Math.max(0, Math.min(wakeUp.dueAt - engine.monotonic(), 100)));
    // Backoffs and polls are not waited for; the cloud's own waiting is.
    db.update(steps)
      .set({ dueAt: 0 })
      .where(and(eq(steps.operationId, operationId), eq(steps.state, "running")))
      .run();
  }
  const { state, failure } = operationOf(db, operationId);
  if (state !== "done") throw new Error(`A preparation ended ${state}: ${failure?.detail ?? "no reason"}`);
}

export function operationOf(db: Db, id: string) {
  const row = db.select().from(operations).where(eq(operations.id, id)).get();
  if (row === undefined) throw new Error(`There is no operation ${id}.`);
  return row;
}

/** Where an operation that should be over stands. */
export function whereIs(db: Db, id: string): string {
  const { kind, state } = operationOf(db, id);
  const at = db
    .select()
    .from(steps)
    .where(and(eq(steps.operationId, id), inArray(steps.state, ["running", "waiting", "failed"])))
    .orderBy(asc(steps.position))
    .get();
  const label = at?.failure?.detail ?? at?.progress?.label ?? "";
  return `${kind} is ${state} at ${at?.name}, ${at?.state}, ${at?.attempts} failed attempts: ${label}`;
}

export function instanceOf(db: Db, id: string) {
  const row = db.select().from(instances).where(eq(instances.id, id)).get();
  if (row === undefined) throw new Error(`There is no instance ${id}.`);
  return row;
}

/** The file with an intranet's posts on its droplet's disk; undefined while it has none. */
export function postsOf({ db, cloudFolder }: Pick<World, "db" | "cloudFolder">, instanceId: string) {
  const { ipAddress: address } = instanceOf(db, instanceId);
  const disk = address === null ? undefined : diskOf(cloudFolder, address);
  return disk === undefined ? undefined : postsFile(disk);
}
