import { join } from "node:path";
import { z } from "zod";
import type { ChildEnv, StartEnv } from "./env.ts";
import { root } from "./env.ts";
import { logFile } from "./logs.ts";
import type { ProcessPlan } from "./supervise.ts";

/** How the processes are run: as they are, or watching their sources. */
export type Mode = "start" | "dev";

export type Given = { databaseUrl: string; secretKey: string; ansibleBinDir: string | undefined };

/** What belongs to web and worker alone. */
const confidential = [
  "SECRET_KEY",
  "ADMIN_PASSWORD",
  "DATABASE_URL",
  "RESEND_API_KEY",
  "JENKINS_TOKEN",
  "BACKUP_ACCESS_KEY_ID",
  "BACKUP_SECRET_ACCESS_KEY",
  "DIGITALOCEAN_TOKEN",
];

/** The environment of web and worker. */
export function applicationEnv(env: StartEnv, given: Given, mode: Mode): ChildEnv {
  const cloud = env.digitaloceanApiUrl ?? (env.isLocal ? `http://127.0.0.1:${env.cloudPort}` : undefined);
  return {
    ...env.inherited,
    NODE_ENV: mode === "start" ? "production" : "development",
    NEXT_TELEMETRY_DISABLED: "1",
    PORT: String(env.port),
    DATA_DIR: env.dataDir,
    DATABASE_URL: given.databaseUrl,
    SECRET_KEY: given.secretKey,
    NEXTAUTH_URL: env.dashboardUrl,
    LOCAL_CLOUD_PORT: String(env.cloudPort),
    ...(env.cloudToken === undefined ? {} : { LOCAL_CLOUD_TOKEN: env.cloudToken }),
    LOCAL_EDGE_PORT: String(env.edgePort),
    LOCAL_SSH_PORT: String(env.sshPort),
    LOCAL_WEB_PORT: String(env.webPort),
    ...(cloud === undefined ? {} : { DIGITALOCEAN_API_URL: cloud }),
    ...(given.ansibleBinDir === undefined ? {} : { ANSIBLE_BIN_DIR: given.ansibleBinDir }),
  };
}

/** The environment of the local cloud: it is the outside world and gets no secret of ours. */
function cloudEnv(env: StartEnv): ChildEnv {
  const kept = Object.entries(env.inherited).filter(([name]) => !confidential.includes(name));
  return {
    ...Object.fromEntries(kept),
    NODE_ENV: "production",
    DATA_DIR: env.dataDir,
    LOCAL_CLOUD_PORT: String(env.cloudPort),
    ...(env.cloudToken === undefined ? {} : { LOCAL_CLOUD_TOKEN: env.cloudToken }),
    LOCAL_EDGE_PORT: String(env.edgePort),
    LOCAL_SSH_PORT: String(env.sshPort),
    LOCAL_WEB_PORT: String(env.webPort),
    LOCAL_ARRIVAL_URL: `http://127.0.0.1:${env.port}/arrival`,
  };
}

/** Runs a TypeScript file. Small young generation: these processes wait more than they compute. */
export const nodeArgs = (file: string, ...more: string[]): string[] => [
  "--max-semi-space-size=8",
  ...more,
  "--import",
  "tsx",
  join(root, file),
];

/**
 * How far the worker's heap may grow before a full collection: to 64 MB at first, then to 1.5 times what is alive. By
 * default it grows to three times as much while many operations run.
 */
export const workerHeap = ["--initial-old-space-size=64", "--heap-growing-percent=50"];

const plan = (env: StartEnv, name: string, args: string[], childEnv: ChildEnv) => ({
  name,
  file: process.execPath,
  args,
  cwd: root,
  env: childEnv,
  log: logFile(env.dataDir, name),
});

export function cloudPlan(env: StartEnv, mode: Mode): ProcessPlan {
  return {
    ...plan(env, "local-cloud", nodeArgs("local-cloud/main.ts", ...watching(mode)), cloudEnv(env)),
    isReady: () => replies(`http://127.0.0.1:${env.cloudPort}/releases`),
  };
}

export function workerPlan(env: StartEnv, given: Given, mode: Mode): ProcessPlan {
  return {
    ...plan(
      env,
      "worker",
      nodeArgs("server/worker.ts", ...workerHeap, ...watching(mode)),
      applicationEnv(env, given, mode),
    ),
    isReady: (written) => written.includes("worker ready"),
  };
}

export function webPlan(env: StartEnv, given: Given, mode: Mode): ProcessPlan {
  const next = join(root, "node_modules/next/dist/bin/next");
  const args = [next, mode, "-p", String(env.port), "-H", env.host];
  const host = env.host === "0.0.0.0" ? "127.0.0.1" : env.host.includes(":") ? "[::1]" : env.host;
  return {
    ...plan(
      env,
      "web",
      mode === "start" ? ["--max-semi-space-size=8", ...args] : args,
      applicationEnv(env, given, mode),
    ),
    isReady: () => replies(`http://${host}:${env.port}/login`),
  };
}

const isolationAnswer = z.object({ userMessage: z.string() });

/** What keeps the local cloud's droplets away from the Spawner, in a sentence. */
export async function dropletIsolation({ cloudPort, cloudToken = "" }: StartEnv): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${cloudPort}/_isolation`, {
    headers: { authorization: `Bearer ${cloudToken}` },
  });
  return isolationAnswer.parse(await answer.json()).userMessage;
}

const watching = (mode: Mode): string[] => (mode === "dev" ? ["--watch", "--watch-preserve-output"] : []);

/** Whether the address answers with anything but an error of its own. */
async function replies(url: string): Promise<boolean> {
  const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(20_000) });
  await answer.body?.cancel();
  return answer.status < 500;
}
