import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import ssh2 from "ssh2";
import { expect, vi } from "vitest";
import { z } from "zod";
import { type LocalCloud, startLocalCloud } from "#local-cloud/main.ts";
import type { CloudOptionsInput } from "#local-cloud/options.ts";
import { testAuthorization, testToken } from "#local-cloud/testing/testToken.ts";
import type { ResponseCheck } from "./testOpenapi.ts";

const sshPort = 4922;
export const webPort = 8922;
export const image = "debian-13-x64";

/** Removes a cloud's data folder, and its droplets where users of their own made them live elsewhere. */
export function removeCloud(dataDir: string): void {
  const droplets = path.join(dataDir, "cloud", "droplets");
  if (existsSync(droplets)) rmSync(realpathSync(droplets), { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
}

/** A cloud of a test's own: temporary folder, free ports, own addresses, quick. */
export async function startTestCloud(addressBase: string, more: Partial<CloudOptionsInput> = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), "local-cloud-"));
  const options: CloudOptionsInput = {
    port: 0,
    edgePort: 0,
    sshPort,
    webPort,
    token: testToken,
    dataDir: folder,
    bootMs: 600,
    actionMs: 100,
    listLagMs: 0,
    ratePerMinute: 100_000,
    ratePerHour: 100_000,
    addressBase,
    ...more,
  };
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path.join(folder, "key")]);
  let cloud: LocalCloud = await startLocalCloud(options);
  return {
    folder,
    get isolation() {
      return cloud.isolation;
    },
    publicKey: readFileSync(path.join(folder, "key.pub"), "utf8").trim(),
    privateKey: readFileSync(path.join(folder, "key")),
    get apiUrl() {
      return cloud.apiUrl;
    },
    get edgePort() {
      return cloud.edgePort;
    },
    /** Stops it in good order and starts it again on the same folder. */
    async restart(): Promise<void> {
      await cloud.close();
      cloud = await startLocalCloud(options);
    },
    async stop(): Promise<void> {
      await cloud.close();
      removeCloud(folder);
    },
  };
}
export type TestCloud = Awaited<ReturnType<typeof startTestCloud>>;

export type Answer = { status: number; headers: Headers; body: unknown };

/** Asks the API and holds every answer against the document, where there is one. */
export function createClient(cloud: () => TestCloud, check?: ResponseCheck) {
  return async (
    method: string,
    requestPath: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const response = await fetch(`${cloud().apiUrl}/v2${requestPath}`, {
      method,
      headers: { ...testAuthorization, "content-type": "application/json", ...headers },
      ...(body === undefined || method === "GET"
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const parsed: unknown = text === "" ? undefined : JSON.parse(text);
    check?.({
      method,
      path: `/v2${requestPath}`,
      status: response.status,
      headers: response.headers,
      body: parsed,
    });
    return { status: response.status, headers: response.headers, body: parsed };
  };
}
export type Client = ReturnType<typeof createClient>;

export const dropletSchema = z.object({
  id: z.number(),
  name: z.string(),
  status: z.string(),
  tags: z.array(z.string()),
  snapshot_ids: z.array(z.number()),
  features: z.array(z.string()),
  size_slug: z.string(),
  disk: z.number(),
  networks: z.object({ v4: z.array(z.object({ ip_address: z.string(), type: z.string() })) }),
});
const actionSchema = z.object({
  id: z.number(),
  status: z.string(),
  type: z.string(),
  started_at: z.string(),
});
const idSchema = z.object({ id: z.number() });

export const errorOf = (answer: Answer) =>
  z.object({ id: z.string(), message: z.string() }).parse(answer.body);
export const dropletOf = (answer: Answer) => z.object({ droplet: dropletSchema }).parse(answer.body).droplet;
export const actionOf = (answer: Answer) => z.object({ action: actionSchema }).parse(answer.body).action;
export const keyIdOf = (answer: Answer): number =>
  z.object({ ssh_key: idSchema }).parse(answer.body).ssh_key.id;
export const recordIdOf = (answer: Answer): number =>
  z.object({ domain_record: idSchema }).parse(answer.body).domain_record.id;

export function addressOf(droplet: z.infer<typeof dropletSchema>): string {
  const address = droplet.networks.v4.find((network) => network.type === "public")?.ip_address;
  if (address === undefined) throw new Error(`Droplet ${droplet.id} has no public address.`);
  return address;
}

/** Waits until a droplet is active and has its address. */
export async function ready(ask: Client, id: number) {
  return vi.waitUntil(
    async () => {
      const droplet = dropletOf(await ask("GET", `/droplets/${id}`));
      return droplet.status === "active" && droplet.networks.v4.length > 0 ? droplet : undefined;
    },
    { timeout: 20_000, interval: 50 },
  );
}

/** Asks for an action and waits for its end; answers how it ended. */
export async function act(ask: Client, id: number, action: object): Promise<string> {
  const answer = await ask("POST", `/droplets/${id}/actions`, action);
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return ended(ask, actionOf(answer).id);
}

export async function ended(ask: Client, actionId: number): Promise<string> {
  return vi.waitUntil(
    async () => {
      const { status } = actionOf(await ask("GET", `/actions/${actionId}`));
      return status === "in-progress" ? undefined : status;
    },
    { timeout: 20_000, interval: 50 },
  );
}

export type Executed = { code: number | null; signal: string | undefined; out: string; err: string };

/** Runs one command over SSH as root. Rejects when the droplet does not let us in. */
export function execute(
  cloud: TestCloud,
  address: string,
  command: string,
  more: {
    stdin?: string | Buffer;
    privateKey?: Buffer;
    username?: string;
    pty?: boolean;
    hangUp?: boolean;
  } = {},
): Promise<Executed> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on("error", reject);
    client.on("ready", () => {
      client.exec(command, { pty: more.pty === true }, (error, channel) => {
        if (error) return reject(error);
        const result: Executed = { code: null, signal: undefined, out: "", err: "" };
        channel.on("data", (part: Buffer) => {
          result.out += part.toString();
        });
        channel.stderr.on("data", (part: Buffer) => {
          result.err += part.toString();
        });
        channel.on("exit", (code: number | null, signal?: string) => {
          result.code = code;
          result.signal = signal;
        });
        channel.on("close", () => {
          client.end();
          resolve(result);
        });
        if (more.hangUp) setTimeout(() => client.destroy(), 300);
        channel.end(more.stdin ?? "");
      });
    });
    client.on("close", () => reject(new Error("The connection was closed.")));
    client.on("connect", () => client.setNoDelay(true));
    client.connect({
      host: address,
      port: sshPort,
      username: more.username ?? "root",
      privateKey: more.privateKey ?? cloud.privateKey,
      readyTimeout: 5_000,
    });
  });
}

/** As execute, but waits for the droplet's SSH to come up first. */
export function executeWhenUp(cloud: TestCloud, address: string, command: string): Promise<Executed> {
  return vi.waitUntil(() => execute(cloud, address, command).catch(() => undefined), {
    timeout: 20_000,
    interval: 100,
  });
}

/** A key, a droplet with it, up and answering over SSH. */
export async function bootedDroplet(cloud: TestCloud, ask: Client, name = "web-1", more: object = {}) {
  const listed = z
    .object({ ssh_keys: z.array(idSchema) })
    .parse((await ask("GET", "/account/keys?per_page=200")).body).ssh_keys;
  const key =
    listed[0]?.id ??
    keyIdOf(await ask("POST", "/account/keys", { name: "test", public_key: cloud.publicKey }));
  const created = await ask("POST", "/droplets", {
    name,
    region: "fra1",
    size: "s-1vcpu-1gb",
    image,
    ssh_keys: [key],
    tags: ["spawner"],
    ...more,
  });
  expect(created.status, JSON.stringify(created.body)).toBe(202);
  const droplet = await ready(ask, dropletOf(created).id);
  const address = addressOf(droplet);
  await executeWhenUp(cloud, address, "true");
  return { ...droplet, address };
}

/** Puts the intranet onto a droplet as a playbook would, and starts it. */
export async function installIntranet(cloud: TestCloud, address: string, company = "Acme"): Promise<void> {
  const script = `set -e
mkdir -p "$DROPLET_ROOT/opt" && cd "$DROPLET_ROOT/opt"
node -e 'fetch(process.argv[1]).then(async (r) => process.stdout.write(Buffer.from(await r.arrayBuffer())))' \
  "$RELEASES_URL/intranet-2.14.0.tar.gz" | tar xz
cat > "$DROPLET_ROOT/opt/environment.json" <<END
{"PORT":"$DROPLET_WEB_PORT","HOST":"$DROPLET_ADDRESS","DATA_DIR":"$DROPLET_ROOT/var/intranet",
 "COMPANY":${JSON.stringify(company)},"ADMIN_KEY":"sesame","GREETING":"two\\nlines {{ 1 + 1 }}"}
END
cat > "$DROPLET_ROOT/services/intranet.json" <<END
{"command":["node","$DROPLET_ROOT/opt/intranet.mjs"],"cwd":"$DROPLET_ROOT/opt",
 "environmentFile":"$DROPLET_ROOT/opt/environment.json"}
END
service start intranet`;
  const result = await execute(cloud, address, "sh -s", { stdin: script });
  expect(result, JSON.stringify(result)).toMatchObject({ code: 0 });
}
