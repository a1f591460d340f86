import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { z } from "zod";
import { parseTrustedProxies } from "./auth/clientAddress.ts";
import { ownedDomainProblem } from "./instances/domains.ts";

const port = (fallback: number) => z.coerce.number().int().min(1).max(65535).default(fallback);
const url = z.url({ protocol: /^https?$/ });
/** An empty variable means the same as none. */
const given = z
  .string()
  .transform((value) => (value === "" ? undefined : value))
  .optional();

const variables = z
  .object({
    PORT: port(3000),
    DATA_DIR: z.string().min(1).default(".data"),
    DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
    ADMIN_EMAIL: z.email().default("joe@intranet.localhost"),
    ADMIN_PASSWORD: given,
    DIGITALOCEAN_TOKEN: given,
    DIGITALOCEAN_API_URL: url.optional(),
    LOCAL_CLOUD_PORT: port(4010),
    LOCAL_CLOUD_TOKEN: given,
    LOCAL_EDGE_PORT: port(4080),
    LOCAL_SSH_PORT: port(4022),
    LOCAL_WEB_PORT: port(8080),
    BASE_DOMAINS: z
      .string()
      .default("")
      .transform((list) => list.split(",").flatMap((domain) => domain.trim() || [])),
    RELEASES: z.string().default("2.14.0,2.13.0"),
    INTRANET_IMAGE: z.string().default("intranet/meteor"),
    RESEND_API_KEY: given,
    RESEND_API_URL: url.optional(),
    MAIL_FROM: z.string().default("Intranet Spawner <spawner@intranet.localhost>"),
    PLAYBOOK_RUNNER: z.enum(["ansible-runner"]).default("ansible-runner"),
    PLAYBOOKS_AT_ONCE: z.coerce.number().int().min(1).max(1000).optional(),
    ANSIBLE_BIN_DIR: given,
    ANSIBLE_DIR: z.string().default("ansible"),
    BACKUP_BUCKET: given,
    BACKUP_ENDPOINT: url.optional(),
    BACKUP_REGION: z.string().default("us-east-1"),
    BACKUP_ACCESS_KEY_ID: given,
    BACKUP_SECRET_ACCESS_KEY: given,
    KEEP_DESTROYED_DAYS: z.coerce.number().int().min(1).max(3650).default(60),
    KEEP_LOGS_DAYS: z.coerce.number().int().min(1).max(3650).default(30),
    TRUST_PROXY: given.transform((text, context) => {
      try {
        return text === undefined ? undefined : parseTrustedProxies(text);
      } catch (error) {
        context.addIssue({ code: "custom", message: error instanceof Error ? error.message : "is invalid" });
        return z.NEVER;
      }
    }),
    SECRET_KEY: z.string().min(16, "needs at least 16 characters").optional(),
  })
  .superRefine((env, context) => {
    for (const domain of env.BASE_DOMAINS)
      if (ownedDomainProblem(domain) !== undefined)
        context.addIssue({ code: "custom", path: ["BASE_DOMAINS"], message: `"${domain}" is not a domain` });
    if (env.BACKUP_BUCKET !== undefined)
      for (const name of ["BACKUP_ENDPOINT", "BACKUP_ACCESS_KEY_ID", "BACKUP_SECRET_ACCESS_KEY"] as const)
        if (env[name] === undefined)
          context.addIssue({ code: "custom", path: [name], message: "must be set when BACKUP_BUCKET is" });
    if (env.DIGITALOCEAN_TOKEN !== undefined && env.BASE_DOMAINS.length === 0)
      context.addIssue({
        code: "custom",
        path: ["BASE_DOMAINS"],
        message: "must name your domain, such as intranet.io, when DIGITALOCEAN_TOKEN is set",
      });
  });

export type Env = ReturnType<typeof readEnv>;

/**
 * Reads and checks the configuration: the only reader of process.env.
 * Throws an error that names every variable that is wrong, why, and never its value.
 */
export function readEnv(source: Record<string, string | undefined> = process.env) {
  const parsed = variables.safeParse(source);
  if (!parsed.success) {
    const lines = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`The configuration is invalid. ${lines.join("; ")}. See docs/production.md.`);
  }
  const env = parsed.data;
  const dataDir = resolve(env.DATA_DIR);
  const isLocal = env.DIGITALOCEAN_TOKEN === undefined;
  const localCloudUrl = `http://127.0.0.1:${env.LOCAL_CLOUD_PORT}`;
  mkdirSync(dataDir, { recursive: true });
  return {
    port: env.PORT,
    dataDir,
    databaseFile: join(dataDir, "spawner.sqlite"),
    runsDir: join(dataDir, "runs"),
    backups: {
      folder: join(dataDir, "backups"),
      bucket: env.BACKUP_BUCKET,
      endpoint: env.BACKUP_ENDPOINT ?? "",
      region: env.BACKUP_REGION,
      accessKeyId: env.BACKUP_ACCESS_KEY_ID ?? "",
      secretAccessKey: env.BACKUP_SECRET_ACCESS_KEY ?? "",
    },
    /** How long snapshots and backups of a destroyed instance are kept. */
    keepDestroyedDays: env.KEEP_DESTROYED_DAYS,
    /** How long a finished operation's log is kept uncompressed. */
    keepLogsDays: env.KEEP_LOGS_DAYS,
    databaseUrl: env.DATABASE_URL,
    admin: { email: env.ADMIN_EMAIL.toLowerCase(), password: env.ADMIN_PASSWORD },
    isLocal,
    digitalocean: {
      token: env.DIGITALOCEAN_TOKEN ?? env.LOCAL_CLOUD_TOKEN ?? "",
      apiUrl: env.DIGITALOCEAN_API_URL ?? (isLocal ? localCloudUrl : "https://api.digitalocean.com"),
    },
    edgePort: env.LOCAL_EDGE_PORT,
    sshPort: isLocal ? env.LOCAL_SSH_PORT : 22,
    webPort: isLocal ? env.LOCAL_WEB_PORT : 80,
    releasesUrl: `${localCloudUrl}/releases`,
    releases: env.RELEASES.split(",").map((version) => version.trim()),
    image: env.INTRANET_IMAGE,
    baseDomains: env.BASE_DOMAINS.length === 0 ? ["intranet.localhost"] : env.BASE_DOMAINS,
    mail: { resendApiKey: env.RESEND_API_KEY, resendApiUrl: env.RESEND_API_URL, from: env.MAIL_FROM },
    ansible: { binDir: env.ANSIBLE_BIN_DIR, dir: resolve(env.ANSIBLE_DIR) },
    /** A playbook keeps about one core busy a third of the time. */
    playbooksAtOnce: env.PLAYBOOKS_AT_ONCE ?? Math.max(2, cpus().length * 2),
    secretKey: env.SECRET_KEY ?? readSecretKey(dataDir),
    trustedProxies: env.TRUST_PROXY,
    dashboardUrl: source.NEXTAUTH_URL ?? `http://localhost:${env.PORT}`,
  };
}

function readSecretKey(dataDir: string): string {
  const file = join(dataDir, "secret.key");
  if (existsSync(file)) return readFileSync(file, "utf8").trim();
  throw new Error(
    `SECRET_KEY isn't set and ${file} doesn't exist. Set SECRET_KEY, or start with "npm start", which creates it.`,
  );
}
