import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createNetServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import ssh2 from "ssh2";

/** The folder of an installed Ansible, or why there is none; tests skip with that reason. */
export function findAnsible(): { path: string; missing: string | undefined } {
  // The worker's PATH may begin with node_modules; what matters is that the two programs run.
  const path = process.env.PATH ?? "";
  try {
    for (const program of ["ansible-playbook", "ansible-runner"]) {
      execFileSync(program, ["--version"], { env: { ...process.env, PATH: path }, stdio: "ignore" });
    }
    return { path, missing: undefined };
  } catch {
    return { path, missing: "ansible-playbook and ansible-runner are not on PATH" };
  }
}

/** A machine for tests: a folder, an SSH server on loopback, a `service` command, and a place with releases. */
export type TestDroplet = {
  folder: string;
  root: string;
  address: string;
  port: number;
  webPort: number;
  hostKey: string;
  privateKeyFile: string;
  releasesUrl: string;
  /** Every command that was run over SSH, without its input. */
  commands: string[];
  /** What the intranet was started with. */
  environment(): Promise<Record<string, string>>;
  close(): Promise<void>;
};

const INTRANET = `
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
const version = readFileSync(new URL("VERSION", import.meta.url), "utf8").trim();
createServer((request, response) => {
  response.setHeader("content-type", "application/json");
  if (request.url === "/healthz") return response.end(JSON.stringify({ status: "ok", version }));
  response.end(JSON.stringify(process.env));
}).listen(Number(process.env.PORT), process.env.HOST);
`;

const SERVICE = `
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
const [verb, name] = process.argv.slice(2);
const folder = process.env.DROPLET_ROOT + "/services/";
const pidFile = folder + name + ".pid";
const pid = () => { try { const p = Number(readFileSync(pidFile, "utf8")); process.kill(p, 0); return p; } catch { return 0; } };
if (verb === "status") process.exit(pid() ? 0 : 3);
if (verb === "stop" || verb === "restart") { const p = pid(); if (p) process.kill(p, "SIGKILL"); }
if (verb === "restart" || (verb === "start" && !pid())) {
  const unit = JSON.parse(readFileSync(folder + name + ".json", "utf8"));
  const env = JSON.parse(readFileSync(unit.environmentFile, "utf8"));
  const [, ...rest] = unit.command;
  const child = spawn(process.execPath, rest, { cwd: unit.cwd, env, detached: true, stdio: "ignore" });
  writeFileSync(pidFile, String(child.pid));
  child.unref();
}
`;

export async function startTestDroplet(): Promise<TestDroplet> {
  const folder = await mkdtemp(join(tmpdir(), "spawner-droplet-"));
  const root = join(folder, "droplet");
  for (const name of ["bin", "root", "services"]) await mkdir(join(root, name), { recursive: true });
  await writeFile(join(root, "bin", "service.mjs"), SERVICE);
  await writeFile(
    join(root, "bin", "service"),
    `#!/bin/sh\nexec "${process.execPath}" "$DROPLET_ROOT/bin/service.mjs" "$@"\n`,
  );
  await chmod(join(root, "bin", "service"), 0o755);

  const clientKey = sshKeyPair();
  const authorized = ssh2.utils.parseKey(clientKey.public);
  const hostKeys = sshKeyPair();
  const privateKeyFile = join(folder, "id_ed25519");
  await writeFile(privateKeyFile, clientKey.private, { mode: 0o600 });

  const releases = await startReleases(folder);
  const webPort = await freePort();
  const commands: string[] = [];
  const children = new Set<ChildProcess>();
  const server = new ssh2.Server({ hostKeys: [hostKeys.private] }, (client) => {
    client.on("error", () => undefined);
    client.on("authentication", (attempt) => {
      if (attempt.method !== "publickey") return attempt.reject(["publickey"]);
      const { key, signature, blob, hashAlgo } = attempt;
      if (authorized instanceof Error || !authorized.getPublicSSH().equals(key.data)) return attempt.reject();
      // Without a signature the client only asks whether the key would do.
      if (signature === undefined || blob === undefined) return attempt.accept();
      return authorized.verify(blob, signature, hashAlgo) === true ? attempt.accept() : attempt.reject();
    });
    client.on("session", (acceptSession) => {
      const session = acceptSession();
      session.on("env", (accept) => accept?.());
      session.on("pty", (accept) => accept?.());
      session.on("exec", (accept, _reject, { command }) => {
        commands.push(command);
        const channel = accept();
        const child = spawn("/bin/sh", ["-c", command], {
          cwd: join(root, "root"),
          env: {
            ...process.env,
            PATH: [join(root, "bin"), dirname(process.execPath), process.env.PATH].join(delimiter),
            HOME: join(root, "root"),
            DROPLET_ROOT: root,
            DROPLET_ADDRESS: "127.0.0.1",
            DROPLET_WEB_PORT: String(webPort),
            RELEASES_URL: releases.url,
          },
        });
        children.add(child);
        channel.pipe(child.stdin);
        child.stdin.on("error", () => undefined);
        child.stdout.pipe(channel, { end: false });
        child.stderr.pipe(channel.stderr, { end: false });
        channel.on("error", () => undefined);
        channel.on("close", () => child.kill("SIGKILL"));
        child.on("close", (code, signal) => {
          children.delete(child);
          if (signal === null) channel.exit(code ?? 1);
          else channel.exit(signal);
          channel.end();
        });
      });
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));

  return {
    folder,
    root,
    address: "127.0.0.1",
    port: portOf(server.address()),
    webPort,
    hostKey: hostKeys.public.split(" ").slice(0, 2).join(" "),
    privateKeyFile,
    releasesUrl: releases.url,
    commands,
    environment: async () => JSON.parse(await readFile(join(root, "services", "environment.json"), "utf8")),
    close: async () => {
      const pid = Number(await readFile(join(root, "services", "intranet.pid"), "utf8").catch(() => "0"));
      if (pid > 0) process.kill(pid, "SIGKILL");
      for (const child of children) child.kill("SIGKILL");
      server.close();
      releases.server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startReleases(folder: string): Promise<{ url: string; server: HttpServer }> {
  const source = join(folder, "release");
  await mkdir(source);
  await writeFile(join(source, "intranet.mjs"), INTRANET);
  await writeFile(join(source, "VERSION"), "2.14.0\n");
  const archive = join(folder, "intranet-2.14.0.tar.gz");
  await promisify(execFile)("tar", ["-czf", archive, "-C", source, "intranet.mjs", "VERSION"]);
  const server = createServer(async (request, response) => {
    if (request.url === "/releases/intranet-2.14.0.tar.gz") return response.end(await readFile(archive));
    // The last byte never comes: what a run looks like in the middle.
    if (request.url === "/releases/intranet-0.0.1.tar.gz") return response.write("slow");
    response.statusCode = 404;
    return response.end();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
  return { url: `http://127.0.0.1:${portOf(server.address())}/releases`, server };
}

/**
 * An ed25519 key pair. ssh2 cuts leading zero bytes off a public key, so that about one pair in 150 cannot
 * be read by anybody: such a pair is thrown away.
 */
export function sshKeyPair(): { public: string; private: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync("ed25519");
    const readable = [pair.public, pair.private].every((key) => !(ssh2.utils.parseKey(key) instanceof Error));
    if (readable) return pair;
  }
}

/** A port nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const server = createNetServer();
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", () => listening()));
  const port = portOf(server.address());
  await new Promise((closed) => server.close(closed));
  return port;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  return address.port;
}
