// One droplet: its SSH server and its init. Node runs this file as it is: `node droplet.ts <machine.json>`.
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ownIdentity } from "./dropletIdentity.ts";
import { createInit } from "./dropletInit.ts";
import { startSshServer } from "./dropletSsh.ts";
import { type MachineFile, readMachineFile } from "./machineFile.ts";

const file = process.argv[2];
if (file === undefined) throw new Error("Usage: node droplet.ts <machine.json>");
const machine = await readMachineFile(file);
// From here on nothing is read that only the host may read, and no module is loaded.
const hostKey = await readFile(machine.hostKeyFile);
const serviceCommand = await readFile(path.join(import.meta.dirname, "serviceCommand.ts"));
await writeFile(path.join(path.dirname(file), "pid"), String(process.pid));
flushCompileCache();
// Unix socket paths may have 108 bytes only: everything below is addressed relative to the root.
process.chdir(machine.root);
// The host's is stricter than a server's.
process.umask(0o022);
becomeOwnUser(machine);

await prepareRoot(machine);
const ofToday = await ownIdentity(machine);
const environment = environmentOf(machine);
const init = createInit({ root: machine.root, environment, ofToday });
let stopSsh: (() => Promise<void>) | undefined;
let stopping = false;

// The cloud is this machine's power supply: when it is gone, the droplet goes down in good order.
process.on("disconnect", () => void shutDown());
process.on("SIGTERM", () => void shutDown());
process.on("SIGINT", () => void shutDown());
process.on("SIGHUP", () => undefined);

await delay(Math.max(0, machine.bootAt - Date.now()));
if (!stopping) {
  await init.listen("run/init.sock");
  await init.startEnabled();
  if (!machine.sshRefused) stopSsh = await startSshServer(machine, hostKey, environment);
  process.send?.({ type: "ready" });
}

async function shutDown(): Promise<void> {
  if (stopping) return;
  stopping = true;
  // Whatever hangs, the power goes off in the end.
  setTimeout(() => process.exit(1), 8_000).unref();
  await stopSsh?.();
  await init.shutDown();
  process.exit(0);
}

/** Gives up what the host's user may do. */
function becomeOwnUser({ account }: MachineFile): void {
  if (account === undefined || process.getuid?.() === account.uid) return;
  process.setgroups?.([]);
  process.setgid?.(account.gid);
  process.setuid?.(account.uid);
}

/** Environment of every session and service. */
function environmentOf(config: MachineFile): Record<string, string> {
  return {
    PATH: [
      path.join(config.root, "bin"),
      "/usr/local/sbin",
      "/usr/local/bin",
      "/usr/sbin",
      "/usr/bin",
      "/sbin",
      "/bin",
      "/opt/homebrew/bin",
    ].join(":"),
    HOME: path.join(config.root, "root"),
    TMPDIR: path.join(config.root, "tmp"),
    USER: "root",
    LOGNAME: "root",
    SHELL: "/bin/sh",
    LANG: "C.UTF-8",
    DROPLET_ROOT: config.root,
    DROPLET_ADDRESS: config.address,
    DROPLET_WEB_PORT: String(config.webPort),
    RELEASES_URL: config.releasesUrl,
  };
}

/** Makes the folders and commands every droplet has. */
async function prepareRoot(config: MachineFile): Promise<void> {
  const folders = ["bin", "etc", "root/.ssh", "run", "services", "tmp", "var/lib", "var/log"];
  for (const folder of folders) await mkdir(folder, { recursive: true });
  for (const name of ["run/init.sock", "bin/node", "bin/service", "bin/serviceCommand.ts"])
    await rm(name, { force: true });
  await symlink(config.node, "bin/node");
  await writeFile("bin/serviceCommand.ts", serviceCommand);
  await writeFile(
    "bin/service",
    `#!/bin/sh\ncd "$DROPLET_ROOT/run" && exec ${quote(config.node)} ../bin/serviceCommand.ts "$@"\n`,
    { mode: 0o755 },
  );
  await writeFile("etc/hostname", `${config.name}\n`);
  await writeFile("root/.ssh/authorized_keys", config.authorizedKeys.map((key) => `${key}\n`).join(""), {
    mode: 0o600,
  });
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
