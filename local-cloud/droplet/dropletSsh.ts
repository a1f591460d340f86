import { type ChildProcess, spawn } from "node:child_process";
import ssh2 from "ssh2";
import { kill } from "./leftProcesses.ts";
import type { MachineFile } from "./machineFile.ts";

type Environment = Record<string, string>;

/**
 * SSH on the droplet's own address for user root: exactly the keys of the create call get in.
 * Answers `exec`, `shell`, `env`, `pty` and `signal`; sftp is not there (ansible: `transfer_method = piped`).
 * Resolves, once it listens, to a function that ends every session with its processes.
 */
export async function startSshServer(
  machine: MachineFile,
  hostKey: Buffer,
  environment: Environment,
): Promise<() => Promise<void>> {
  const allowed = machine.authorizedKeys.flatMap((text) => {
    const key = ssh2.utils.parseKey(text);
    return key instanceof Error ? [] : [key];
  });
  const children = new Set<ChildProcess>();
  const clients = new Set<ssh2.Connection>();

  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    clients.add(client);
    // Without it Nagle and delayed acknowledgements cost every command a third of a second.
    client.setNoDelay(true);
    client.on("close", () => clients.delete(client));
    // A client that goes away in mid-sentence is no fault of the droplet's.
    client.on("error", () => undefined);
    client.on("authentication", (attempt) => {
      if (attempt.method !== "publickey" || attempt.username !== "root") {
        return attempt.reject(["publickey"]);
      }
      const { key, signature, blob, hashAlgo } = attempt;
      const known = allowed.find(
        (candidate) => candidate.type === key.algo && candidate.getPublicSSH().equals(key.data),
      );
      if (known === undefined) return attempt.reject(["publickey"]);
      // Without a signature the client only asks whether the key would do.
      if (signature === undefined || blob === undefined) return attempt.accept();
      return known.verify(blob, signature, hashAlgo) === true
        ? attempt.accept()
        : attempt.reject(["publickey"]);
    });
    client.on("ready", () => {
      client.on("session", (accept) => serveSession(accept(), environment, children));
    });
  });

  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(machine.sshPort, machine.address, () => resolve());
  });
  return async () => {
    server.close();
    for (const client of clients) client.end();
    await Promise.all([...children].map(endGroup));
  };
}

function serveSession(session: ssh2.Session, base: Environment, children: Set<ChildProcess>): void {
  const own: Environment = {};
  session.on("env", (accept, _reject, info) => {
    // As sshd's AcceptEnv: the language and nothing that changes what runs.
    if (/^(LANG|LC_\w+)$/.test(info.key)) own[info.key] = info.val;
    accept?.();
  });
  session.on("pty", (accept, _reject, info) => {
    const { term } = info as { term?: string };
    if (term) own.TERM = term;
    accept?.();
  });
  session.on("window-change", (accept) => accept?.());
  session.on("exec", (accept, _reject, info) =>
    run(session, accept(), ["-c", ownHome(info.command)], { ...own, ...base }, children),
  );
  session.on("shell", (accept) => run(session, accept(), ["-l"], { ...own, ...base }, children));
}

/**
 * `~root` is read from the password file of the machine underneath, where root lives elsewhere.
 * Ansible asks for it in exactly these words before every task.
 */
function ownHome(command: string): string {
  return command.replace(/\becho ~root(?![\w-])/, "echo ~");
}

function run(
  session: ssh2.Session,
  channel: ssh2.ServerChannel,
  argv: string[],
  environment: Environment,
  children: Set<ChildProcess>,
): void {
  // A group of its own, so that whatever the command starts ends with it.
  const child = spawn("/bin/sh", argv, {
    cwd: environment.HOME,
    env: { NODE_ENV: "production", ...environment },
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  children.add(child);
  let ended = false;
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.stdin.on("error", () => undefined);
  channel.on("error", () => undefined);
  session.on("signal", (accept, _reject, info) => {
    if (child.pid !== undefined) kill(-child.pid, `SIG${info.name}` as NodeJS.Signals);
    accept?.();
  });
  const finish = (code: number | null, signal: NodeJS.Signals | null) => {
    ended = true;
    children.delete(child);
    if (signal !== null) channel.exit(signal.replace(/^SIG/, ""), false, "");
    else channel.exit(code ?? 1);
    channel.end();
  };
  child.on("error", (error) => {
    channel.stderr.write(`${error.message}\n`);
    finish(127, null);
  });
  child.on("close", finish);
  // The client hung up: nobody waits for the command any more.
  channel.on("close", () => {
    if (!ended) void endGroup(child);
  });
}

/** TERM, two seconds of grace, KILL. */
async function endGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  kill(-pid, "SIGTERM");
  const timer = setTimeout(() => kill(-pid, "SIGKILL"), 2_000);
  await exited;
  clearTimeout(timer);
  kill(-pid, "SIGKILL");
}
