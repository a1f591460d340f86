import path from "node:path";
import { z } from "zod";

const port = z.coerce.number().int().min(0).max(65_535);
const milliseconds = z.coerce.number().int().min(0);

const optionsSchema = z.object({
  /** Port of the API on 127.0.0.1; 0 takes any free one. */
  port: port.default(4010),
  /** Port of the edge on 127.0.0.1; 0 takes any free one. */
  edgePort: port.default(4080),
  /** Port of the SSH server on every droplet's own address. */
  sshPort: port.min(1).default(4022),
  /** Port the edge talks to on every droplet's own address. */
  webPort: port.min(1).default(8080),
  /** The only bearer token that the API accepts. */
  token: z.string("must be set").min(16, "needs at least 16 characters"),
  /** Where `cloud/` is kept: state, droplets, snapshots. */
  dataDir: z.string().min(1).default(".data"),
  /** From the create call until the droplet answers over SSH. */
  bootMs: milliseconds.default(3000),
  /** How long an action on a droplet or image takes at least. */
  actionMs: milliseconds.default(1000),
  /** How long lists lag behind creates and deletes of droplets. */
  listLagMs: milliseconds.default(500),
  ratePerHour: z.coerce.number().int().min(1).default(5000),
  ratePerMinute: z.coerce.number().int().min(1).default(250),
  dropletLimit: z.coerce.number().int().min(1).default(250),
  /** First two numbers of the droplets' loopback addresses; without it they come from what is free. */
  addressBase: z
    .string()
    .regex(/^127\.\d{1,3}$/, "must look like 127.77")
    .optional(),
  /**
   * Where the edge may ask for a page while a site has no answer of its own (`?host=` is added).
   * Without it, or when it fails, the edge shows its own pages.
   */
  arrivalUrl: z.url().optional(),
});

export type CloudOptions = z.infer<typeof optionsSchema> & {
  /** `<dataDir>/cloud`, absolute. */ folder: string;
};
export type CloudOptionsInput = z.input<typeof optionsSchema>;

/** Fills in defaults; throws a sentence naming the option that is wrong. */
export function parseOptions(input: CloudOptionsInput | Record<string, string>): CloudOptions {
  const parsed = optionsSchema.safeParse(input);
  if (parsed.success) return { ...parsed.data, folder: path.resolve(parsed.data.dataDir, "cloud") };
  throw new Error(`The local cloud can't start: ${z.prettifyError(parsed.error)}`);
}

/** Options from the environment of the process (empty values count as not set). */
export function optionsFromEnvironment(environment: Record<string, string | undefined>): CloudOptions {
  const input: Record<string, string> = {};
  const names = {
    token: "LOCAL_CLOUD_TOKEN",
    dataDir: "DATA_DIR",
    port: "LOCAL_CLOUD_PORT",
    edgePort: "LOCAL_EDGE_PORT",
    sshPort: "LOCAL_SSH_PORT",
    webPort: "LOCAL_WEB_PORT",
    bootMs: "LOCAL_BOOT_MS",
    actionMs: "LOCAL_ACTION_MS",
    listLagMs: "LOCAL_LIST_LAG_MS",
    ratePerHour: "LOCAL_RATE_PER_HOUR",
    ratePerMinute: "LOCAL_RATE_PER_MINUTE",
    dropletLimit: "LOCAL_DROPLET_LIMIT",
    addressBase: "LOCAL_ADDRESS_BASE",
    arrivalUrl: "LOCAL_ARRIVAL_URL",
  };
  for (const [option, name] of Object.entries(names)) {
    const value = environment[name];
    if (value !== undefined && value !== "") input[option] = value;
  }
  return parseOptions(input);
}
