// The first thing that runs, under whatever Node is there and before any package is installed: plain JavaScript,
// nothing imported but Node itself. It installs the packages and hands over to the Node that came with them.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";

const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "..");
/** Each command and its file beside this one. */
const commands = {
  start: "start.ts",
  dev: "dev.ts",
  test: "test.ts",
  bench: "bench.ts",
  simulate: "simulate.ts",
  "crash-test": "crashTest.ts",
  strings: "strings.ts",
};
const lockfile = join(root, "package-lock.json");
const modules = join(root, "node_modules");
const marker = join(modules, ".package-lock.sha256");

function refuse(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exit(1);
}

function checkMachine() {
  const [major = 0] = process.versions.node.split(".").map(Number);
  if (major < 20)
    refuse(
      `This is Node ${process.versions.node}, and the Spawner needs Node 20 or newer to start (it then uses its own Node 24). ` +
        "Install a newer one from https://nodejs.org or your system's packages, then try again.",
    );
  if (process.platform === "win32")
    refuse("The Spawner runs on Linux and macOS, not on Windows. Use WSL 2 instead.");
  if (process.platform !== "linux" && process.platform !== "darwin")
    refuse(`The Spawner runs on Linux and macOS, not on ${process.platform}.`);
  if (process.arch !== "x64" && process.arch !== "arm64")
    refuse(`The Spawner needs a 64-bit Intel/AMD or ARM processor; this Node is built for ${process.arch}.`);
  if (process.platform === "darwin" && !process.env.DIGITALOCEAN_TOKEN)
    refuse(
      "The local cloud needs Linux: each of its droplets has its own loopback address, and macOS has only one. " +
        "On macOS, set DIGITALOCEAN_TOKEN and BASE_DOMAINS to use DigitalOcean, or run the Spawner in a Linux container.",
    );
  if (process.platform === "linux" && !process.report.getReport().header.glibcVersionRuntime)
    refuse(
      "The Spawner needs a Linux with the GNU C library (Debian, Ubuntu, Fedora, …). Its PostgreSQL doesn't run on Alpine's musl.",
    );
}

const lockHash = () => createHash("sha256").update(readFileSync(lockfile)).digest("hex");

/** Whether node_modules is what the lock file asks for, told from npm's own record of what it has installed. */
function isInstalledByHand() {
  const record = join(modules, ".package-lock.json");
  if (!existsSync(record)) return false;
  const wanted = JSON.parse(readFileSync(lockfile, "utf8")).packages;
  const installed = JSON.parse(readFileSync(record, "utf8")).packages;
  const isThere = ([path, entry]) =>
    path === "" ||
    (installed[path] === undefined ? entry.optional === true : installed[path].version === entry.version);
  return (
    Object.entries(wanted).every(isThere) &&
    Object.keys(installed).every((path) => wanted[path] !== undefined)
  );
}

function packagesAreThere() {
  if (!existsSync(lockfile)) refuse(`${lockfile} is missing. The packages can't be installed without it.`);
  if (!existsSync(join(modules, ".bin"))) return false;
  if (existsSync(marker)) return readFileSync(marker, "utf8").trim() === lockHash();
  if (!isInstalledByHand()) return false;
  writeFileSync(marker, `${lockHash()}\n`);
  return true;
}

/** Resolves with an exit code; a process that a signal has ended counts as 128 + the signal's number, as in a shell. */
function exitCode(child) {
  return new Promise((done) => {
    child.once("error", (error) => refuse(`${child.spawnfile} could not be started: ${error.message}`));
    child.once("exit", (code, signal) => done(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** `npm ci` empties node_modules first: two at once would pull the ground from under each other. */
async function whileAlone(work) {
  const folder = join(
    tmpdir(),
    `intranet-spawner-install-${createHash("sha256").update(root).digest("hex").slice(0, 12)}`,
  );
  const owner = join(folder, "pid");
  for (let said = false; ; ) {
    try {
      mkdirSync(folder);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const pid = existsSync(owner) ? Number(readFileSync(owner, "utf8")) : 0;
    if (pid > 0 && !isAlive(pid)) {
      remove(folder);
      continue;
    }
    if (!said) process.stdout.write("Waiting for another start to install the packages\n");
    said = true;
    await new Promise((done) => setTimeout(done, 300));
  }
  writeFileSync(owner, String(process.pid));
  try {
    await work();
  } finally {
    remove(folder);
  }
}

function remove(folder) {
  rmSync(join(folder, "pid"), { force: true });
  try {
    rmdirSync(folder);
  } catch {
    // Somebody else has removed it already.
  }
}

async function install() {
  if (packagesAreThere()) return;
  process.stdout.write("Installing the packages (about a minute)\n");
  const npmCli = process.env.npm_execpath ?? "";
  const [file, first] = npmCli.endsWith("npm-cli.js") ? [process.execPath, [npmCli]] : ["npm", []];
  // What builds and checks is needed too, whatever NODE_ENV or npm's configuration says.
  // No package's install script is needed, and the npm of Debian 13 would compile better-sqlite3, which comes compiled.
  const args = [
    "ci",
    "--loglevel=error",
    "--ignore-scripts",
    "--include=dev",
    "--include=optional",
    "--no-audit",
    "--no-fund",
  ];
  const child = spawn(file, [...first, ...args], { cwd: root, stdio: "inherit" });
  const code = await exitCode(child);
  if (code !== 0)
    refuse(
      `The packages couldn't be installed: npm ci exited with ${code}. Check the network and the messages above.`,
    );
  writeFileSync(marker, `${lockHash()}\n`);
}

/**
 * The Node from the packages; else this one, when it is new enough. npm 9 leaves out the link to it now and then: it
 * is made here, because everything that is run from node_modules/.bin looks for `node` beside itself.
 */
function findNode() {
  const own = join(modules, ".bin", "node");
  if (existsSync(own)) return own;
  for (const name of [
    `node-${process.platform}-${process.arch}`,
    `node-bin-${process.platform}-${process.arch}`,
  ]) {
    if (!existsSync(join(modules, name, "bin", "node"))) continue;
    rmSync(own, { force: true });
    symlinkSync(join("..", name, "bin", "node"), own);
    return own;
  }
  if (Number(process.versions.node.split(".")[0]) >= 24) return process.execPath;
  return refuse(
    `No Node 24 came with the packages for ${process.platform} ${process.arch}. Install Node 24, then start again.`,
  );
}

const read = (file) => {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
};

/** Fields of /proc/<pid>/stat from the third on; field 22 is when the process began. */
const statOf = (pid) =>
  read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, "")
    .split(" ");
const parentOf = (pid) => Number(statOf(pid)[1]);

/**
 * npm and the shell that it has started this process with, nearest first. npm ends at once when it is asked to end, or
 * takes only its shell along: nobody else would tell us.
 */
function launchers() {
  if (process.env.npm_lifecycle_event === undefined || process.platform !== "linux") return [];
  const isNpm = (pid) => read(`/proc/${pid}/comm`).startsWith("npm");
  const parent = process.ppid;
  if (isNpm(parent)) return [parent];
  if (!read(`/proc/${parent}/cmdline`).includes("bootstrap.mjs")) return [];
  return isNpm(parentOf(parent)) ? [parent, parentOf(parent)] : [parent];
}

/** Calls back once when one of them has gone. */
function whenGone(pids, then) {
  const began = pids.map((pid) => statOf(pid)[19]);
  const timer = setInterval(() => {
    if (pids.every((pid, index) => statOf(pid)[19] === began[index] && statOf(pid)[0] !== "Z")) return;
    clearInterval(timer);
    then();
  }, 150);
  timer.unref();
}

async function main() {
  const command = process.argv[2];
  const file = Object.hasOwn(commands, command) ? commands[command] : undefined;
  if (file === undefined) refuse(`Usage: node start/bootstrap.mjs ${Object.keys(commands).join("|")}`);
  checkMachine();
  if (!packagesAreThere()) await whileAlone(install);
  const above = launchers();
  const child = spawn(findNode(), [join(root, "start", file), ...process.argv.slice(3)], {
    cwd: root,
    // The fourth channel closes when this process dies, however it dies: the other end then stops everything.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: {
      ...process.env,
      PATH: `${join(modules, ".bin")}${delimiter}${process.env.PATH ?? ""}`,
      SPAWNER_LAUNCHER: String(above.at(-1) ?? process.pid),
    },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  if (above.length > 0) whenGone(above, () => child.kill("SIGTERM"));
  process.exitCode = await exitCode(child);
  process.exit();
}

await main();
