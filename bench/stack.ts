import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { testAuthorization, testToken } from "#local-cloud/testing/testToken.ts";
import { memoryOf, secondsOf } from "./processes.ts";

const password = "a password for the benchmark";
const email = "joe@intranet.localhost";

export type Stack = Awaited<ReturnType<typeof startStack>>;

/** Starts the whole application as `npm start` does, on ports and data of its own. */
export async function startStack(firstPort: number, env: Record<string, string> = {}) {
  const dataDir = mkdtempSync(join(tmpdir(), "spawner-bench-"));
  const ports = {
    web: firstPort,
    cloud: firstPort + 1,
    edge: firstPort + 2,
    ssh: firstPort + 3,
    app: firstPort + 4,
  };
  const child: ChildProcess = spawn(process.execPath, ["--import", "tsx", "start/start.ts"], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      PORT: String(ports.web),
      LOCAL_CLOUD_PORT: String(ports.cloud),
      LOCAL_EDGE_PORT: String(ports.edge),
      LOCAL_SSH_PORT: String(ports.ssh),
      LOCAL_WEB_PORT: String(ports.app),
      LOCAL_CLOUD_TOKEN: testToken,
      DATA_DIR: dataDir,
      ADMIN_EMAIL: email,
      ADMIN_PASSWORD: password,
      ...env,
    },
  });
  await new Promise<void>((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("Spawner is ready")) resolve();
    });
    child.once("exit", () => reject(new Error(`The application ended at once:\n${output}`)));
  });
  const dashboard = `http://localhost:${ports.web}`;
  const cloud = `http://127.0.0.1:${ports.cloud}`;
  const cookie = await signIn(dashboard, { email, password });
  const headers = { cookie, "content-type": "application/json" };

  async function query<Output>(schema: z.ZodType<Output>, path: string, input?: unknown): Promise<Output> {
    const suffix = input === undefined ? "" : `?input=${encodeURIComponent(JSON.stringify(input))}`;
    const response = await fetch(`${dashboard}/api/trpc/${path}${suffix}`, { headers });
    return resultOf(schema).parse(await response.json()).result.data;
  }
  async function mutate<Output>(schema: z.ZodType<Output>, path: string, input: unknown): Promise<Output> {
    const response = await fetch(`${dashboard}/api/trpc/${path}`, {
      method: "POST",
      headers,
      body: JSON.stringify(input),
    });
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(body)}`);
    return resultOf(schema).parse(body).result.data;
  }

  return {
    ...{ dashboard, cloud, ports, dataDir, cookie, query, mutate },
    /** Requests to DigitalOcean's API so far, and how many of them it answered with 429. */
    async requests(): Promise<{ total: number; refused: number }> {
      const answer = await (await fetch(`${cloud}/_requests`, { headers: testAuthorization })).json();
      const { counts, answers } = z
        .object({ counts: z.record(z.string(), z.number()), answers: z.record(z.string(), z.number()) })
        .parse(answer);
      const api = Object.entries(counts).filter(([route]) => route.includes("/v2/"));
      return { total: api.reduce((sum, [, count]) => sum + count, 0), refused: answers["429"] ?? 0 };
    },
    memory: () => memoryOf(child.pid ?? 0, dataDir),
    seconds: () => secondsOf(child.pid ?? 0, dataDir),
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const resultOf = <Output>(schema: z.ZodType<Output>) => z.object({ result: z.object({ data: schema }) });

/** Signs in as a browser would; returns the cookies of the session. */
export async function signIn(
  dashboard: string,
  account: { email: string; password: string },
): Promise<string> {
  const first = await fetch(`${dashboard}/api/auth/csrf`);
  const { csrfToken } = z.object({ csrfToken: z.string() }).parse(await first.json());
  const cookies = cookiesOf(first);
  const answer = await fetch(`${dashboard}/api/auth/callback/credentials`, {
    method: "POST",
    redirect: "manual",
    headers: { cookie: cookies, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({ csrfToken, ...account, json: "true" }),
  });
  const session = cookiesOf(answer);
  if (!session.includes("spawner-session")) throw new Error(`Signing in did not work: ${answer.status}`);
  return `${cookies}; ${session}`;
}

const cookiesOf = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(";")[0])
    .join("; ");
