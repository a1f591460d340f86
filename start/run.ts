import { rmSync } from "node:fs";
import { join } from "node:path";
import { buildWeb } from "./build.ts";
import { openCluster } from "./cluster.ts";
import { secureDataDir } from "./dataDir.ts";
import { readStartEnv, root, type StartEnv } from "./env.ts";
import { hasEnded } from "./identity.ts";
import { runLogged } from "./install.ts";
import { isLeaving, type Lock, takeLock } from "./lock.ts";
import { lastLines, logFile, readSince } from "./logs.ts";
import { portProblem } from "./ports.ts";
import { postgresPlan } from "./postgres.ts";
import { type ProcessNotes, processNotes } from "./processes.ts";
import { reasonOf, StartError, say } from "./say.ts";
import { cloudTokenOf, secretKeyOf } from "./secretFiles.ts";
import {
  applicationEnv,
  cloudPlan,
  dropletIsolation,
  type Given,
  type Mode,
  nodeArgs,
  webPlan,
  workerPlan,
} from "./services.ts";
import { type ProcessPlan, type Supervised, supervise } from "./supervise.ts";
import { ensureAnsible } from "./tools.ts";

/** Starts one process under supervision. */
type Begin = (plan: ProcessPlan) => Supervised;

/** Runs everything until a signal comes. The exit code is 1 when it could not be brought up. */
export async function runSpawner(mode: Mode): Promise<void> {
  let stopping: Promise<void> | undefined;
  let lock: Lock | undefined;
  const running: Supervised[] = [];

  const stop = (): Promise<void> => {
    stopping ??= stopAll(running).then(() => lock?.release());
    return stopping;
  };
  const onSignal = (): void => {
    if (stopping === undefined) say("Stopping");
    void stop().then(() => process.exit());
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  // The channel to bootstrap.mjs: it closes when that process dies, however it dies.
  if (process.connected) process.once("disconnect", onSignal);
  // A terminal that has gone away is no reason to leave processes behind.
  process.stdout.on("error", () => {});
  process.stderr.on("error", () => {});

  try {
    const env = readStartEnv();
    secureDataDir(env.dataDir);
    lock = await lockDataDir(env);
    const notes = processNotes(env.dataDir);
    await bringUp(env, mode, notes, (plan) => {
      if (stopping !== undefined) throw new StartError("Stopping");
      const one = supervise(plan, notes);
      running.push(one);
      return one;
    });
    if (env.isExposed)
      say(
        `  Other machines can reach the dashboard on ${env.host}, and their passwords cross the network unencrypted (ALLOW_HTTP=1)`,
      );
    say(`Spawner is ready: ${env.dashboardUrl.replace(/\/$/, "")}`);
  } catch (error) {
    if (stopping === undefined) {
      process.exitCode = 1;
      process.stderr.write(`${reasonOf(error)}\n`);
    }
    await stop();
    process.exit();
  }
}

/** The web process first, so that nobody clicks into the void; Postgres last, because the others talk to it. */
async function stopAll(running: readonly Supervised[]): Promise<void> {
  const isLast = (one: Supervised): boolean => one.name === "postgres";
  await Promise.all(running.filter((one) => !isLast(one)).map((one) => one.stop()));
  await Promise.all(running.filter(isLast).map((one) => one.stop()));
}

/** One Spawner per data folder. One whose launcher was killed outright is about to end: that is waited for. */
async function lockDataDir(env: StartEnv): Promise<Lock> {
  const file = join(env.dataDir, "supervisor.lock");
  for (let attempt = 0; ; attempt += 1) {
    const taken = takeLock(file, env.launcher);
    if ("release" in taken) return taken;
    if (!isLeaving(taken) || attempt === 2)
      throw new StartError(
        `The Spawner is already running on ${env.dataDir} (process ${taken.pid}). ` +
          "Use that one, stop it first, or set DATA_DIR and PORT to run another.",
      );
    say(`The previous Spawner (process ${taken.pid}) is still stopping. Waiting for it`);
    await hasEnded(taken, 20_000);
  }
}

async function bringUp(asRead: StartEnv, mode: Mode, notes: ProcessNotes, begin: Begin): Promise<void> {
  const cloudToken = asRead.isLocal ? (asRead.cloudToken ?? cloudTokenOf(asRead.dataDir)) : undefined;
  const env = { ...asRead, cloudToken };
  const orphans = await notes.endOrphans(["postgres"]);
  if (orphans.length > 0) say(`  stopped processes left by a killed Spawner: ${orphans.join(", ")}`);
  await checkPorts(env);

  const secretKey = env.secretKey ?? secretKeyOf(env.dataDir);
  let worker: Supervised | undefined;

  // Ansible may have to be installed, and the web app to be built: side by side, and beside Postgres and the cloud.
  const cloud = env.isLocal ? begin(cloudPlan(env, mode)) : undefined;
  const ansible = env.needsAnsible ? ensureAnsible(env) : Promise.resolve({ binDir: env.ansibleBinDir });
  const database = startDatabase(env, begin, () => worker?.restart());
  const prepared = database.then(async (databaseUrl) => {
    await prepareData(env, { databaseUrl, secretKey, ansibleBinDir: undefined }, mode);
    return databaseUrl;
  });
  const built = prepared.then(async (databaseUrl) => {
    const given = { databaseUrl, secretKey, ansibleBinDir: undefined };
    if (mode === "start") await buildWeb(applicationEnv(env, given, mode), env.dataDir);
  });
  const [databaseUrl, { binDir }] = await Promise.all([prepared, ansible, built]);
  if (env.needsAnsible) say(`  Ansible is ready${binDir === undefined ? "" : ` (${binDir})`}`);

  const given: Given = { databaseUrl, secretKey, ansibleBinDir: binDir };
  await cloud?.ready;
  if (cloud !== undefined) say(`  ${await dropletIsolation(env)}`);
  worker = begin(workerPlan(env, given, mode));
  const web = begin(webPlan(env, given, mode));
  await Promise.all([worker.ready, web.ready]).catch((error: unknown) => {
    const logs = ["worker", "web"].map((name) => `${name}.log:\n${lastLines(logFile(env.dataDir, name))}`);
    throw new StartError(`${reasonOf(error)}\n${logs.join("\n")}`);
  });
}

async function checkPorts(env: StartEnv): Promise<void> {
  const wanted: [number, string, string | undefined][] = [[env.port, "PORT", env.host]];
  if (env.isLocal)
    wanted.push(
      [env.cloudPort, "LOCAL_CLOUD_PORT", "127.0.0.1"],
      [env.edgePort, "LOCAL_EDGE_PORT", "127.0.0.1"],
    );
  const problems = await Promise.all(
    wanted.map(([port, variable, host]) => portProblem(port, variable, host)),
  );
  const found = problems.filter((problem) => problem !== undefined);
  if (found.length > 0) throw new StartError(found.join("\n"));
}

/** The queue's PostgreSQL: the one that is named, or our own. A worker does not outlive its connection well. */
async function startDatabase(env: StartEnv, begin: Begin, onBackAgain: () => void): Promise<string> {
  if (env.databaseUrl !== undefined) return env.databaseUrl;
  const cluster = await openCluster(env.dataDir);
  if (cluster.moved)
    say(`  PostgreSQL's files are in ${cluster.folder}, because its user can't access ${env.dataDir}`);
  await begin(postgresPlan(cluster, env.dataDir, onBackAgain)).ready;
  return cluster.url;
}

/** Migrates SQLite and makes the first user; what that says (the password, once) is for the person here. */
async function prepareData(env: StartEnv, given: Given, mode: Mode): Promise<void> {
  const log = join(env.dataDir, "prepare.out");
  const outcome = await runLogged([process.execPath, ...nodeArgs("server/setup.ts")], {
    log,
    cwd: root,
    env: applicationEnv(env, given, mode),
    timeoutMs: 300_000,
  });
  const said = readSince(log, 0).trimEnd();
  // It may hold a password: shown, and kept nowhere.
  rmSync(log, { force: true });
  if (!outcome.ok) throw new StartError(`The database couldn't be prepared.\n${said}`);
  if (said !== "") say(`  ${said}`);
}
