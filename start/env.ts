import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";

const port = (fallback: number) =>
  z.coerce.number("must be a port number").int().min(1).max(65535).default(fallback);
/** An empty variable means the same as none. */
const given = z
  .string()
  .transform((value) => (value === "" ? undefined : value))
  .optional();

/** Addresses that only programs on this machine reach. */
const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host);

const fields = z.object({
  PORT: port(3000),
  HOST: given.transform((host) => host ?? "127.0.0.1"),
  ALLOW_HTTP: z.enum(["", "0", "1"], "must be 1, or not set").optional(),
  DATA_DIR: z.string().min(1).default(".data"),
  DATABASE_URL: given,
  DIGITALOCEAN_TOKEN: given,
  DIGITALOCEAN_API_URL: given,
  LOCAL_CLOUD_PORT: port(4010),
  LOCAL_CLOUD_TOKEN: given,
  LOCAL_EDGE_PORT: port(4080),
  LOCAL_SSH_PORT: port(4022),
  LOCAL_WEB_PORT: port(8080),
  SECRET_KEY: given,
  NEXTAUTH_URL: given,
  PLAYBOOK_RUNNER: z.string().default("ansible-runner"),
  ANSIBLE_BIN_DIR: given,
  PATH: z.string().default("/usr/local/bin:/usr/bin:/bin"),
  PLAYWRIGHT_BROWSERS_PATH: given,
  SPAWNER_LAUNCHER: z.coerce.number().int().optional(),
});

/** Other machines may only sign in over https, unless somebody has said that their network may read passwords. */
const variables = fields.superRefine(({ HOST, NEXTAUTH_URL, ALLOW_HTTP }, context) => {
  if (isLoopback(HOST) || ALLOW_HTTP === "1" || NEXTAUTH_URL?.startsWith("https://") === true) return;
  context.addIssue({
    code: "custom",
    path: ["HOST"],
    message:
      "other machines can reach this address, so set NEXTAUTH_URL to the https address of a proxy in front of it, or ALLOW_HTTP=1 if passwords may cross your network unencrypted",
  });
});

export type StartEnv = ReturnType<typeof readStartEnv>;

/** The environment of a child. */
export type ChildEnv = Record<string, string> & { NODE_ENV: "development" | "production" | "test" };

/** Where the checkout is. Everything that is started has it as its working folder. */
export const root = resolve(import.meta.dirname, "..");

/**
 * What the processes here need of the environment; the only reader of process.env in this folder. The processes that
 * are started check their own part. Throws an error that names each variable that is wrong, never its value.
 */
export function readStartEnv(source: Record<string, string | undefined> = process.env) {
  const parsed = variables.safeParse(source);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`The configuration is invalid. ${lines.join("; ")}. See docs/production.md.`);
  }
  const env = parsed.data;
  return {
    port: env.PORT,
    host: env.HOST,
    /** Other machines reach the dashboard, over plain http. */
    isExposed: !isLoopback(env.HOST) && env.NEXTAUTH_URL?.startsWith("https://") !== true,
    dataDir: resolve(root, env.DATA_DIR),
    databaseUrl: env.DATABASE_URL,
    isLocal: env.DIGITALOCEAN_TOKEN === undefined,
    digitaloceanApiUrl: env.DIGITALOCEAN_API_URL,
    cloudPort: env.LOCAL_CLOUD_PORT,
    cloudToken: env.LOCAL_CLOUD_TOKEN,
    edgePort: env.LOCAL_EDGE_PORT,
    sshPort: env.LOCAL_SSH_PORT,
    webPort: env.LOCAL_WEB_PORT,
    secretKey: env.SECRET_KEY,
    dashboardUrl: env.NEXTAUTH_URL ?? `http://localhost:${env.PORT}`,
    needsAnsible: env.PLAYBOOK_RUNNER === "ansible-runner",
    ansibleBinDir: env.ANSIBLE_BIN_DIR,
    path: env.PATH,
    playwrightBrowsers: env.PLAYWRIGHT_BROWSERS_PATH ?? join(homedir(), ".cache", "ms-playwright"),
    launcher: env.SPAWNER_LAUNCHER,
    inherited: inherit(source),
  };
}

/** What children are handed on: the environment without what npm has added for its own script. */
function inherit(source: Record<string, string | undefined>): ChildEnv {
  const given = Object.entries(source).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !/^(npm_|SPAWNER_|NODE_CHANNEL_|INIT_CWD$)/.test(entry[0]),
  );
  return { ...Object.fromEntries(given), NODE_ENV: "production" };
}
