import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, statSync, truncateSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { kill } from "./leftProcesses.ts";

export type InitAnswer = { code: number; text: string };
type Environment = Record<string, string>;
type Unit = { command: string[]; cwd: string | undefined; environmentFile: string | undefined };
type Service = {
  child: ChildProcess | undefined;
  wanted: boolean;
  failures: number;
  retry: NodeJS.Timeout | undefined;
  startedAt: number;
};

const actions = ["start", "stop", "restart", "status"] as const;
const enabledFile = "var/lib/services.json";
const settledAfterMs = 10_000;
const biggestLog = 2_000_000;

/**
 * The droplet's init: keeps services alive, with growing pauses after crashes, and starts those that
 * were on when the droplet boots. Works in the droplet's root as current folder.
 */
export function createInit(config: {
  root: string;
  environment: Environment;
  /** Reads what the disk says as of today, see dropletIdentity.ts. */
  ofToday: (text: string) => string;
}) {
  const services = new Map<string, Service>();
  const { ofToday } = config;
  let goingDown = false;

  const serviceOf = (name: string): Service => {
    const known = services.get(name);
    if (known !== undefined) return known;
    const fresh: Service = { child: undefined, wanted: false, failures: 0, retry: undefined, startedAt: 0 };
    services.set(name, fresh);
    return fresh;
  };

  async function launch(name: string): Promise<void> {
    const service = serviceOf(name);
    const unit = await readUnit(name, ofToday);
    const own =
      unit.environmentFile === undefined ? {} : await readEnvironment(unit.environmentFile, ofToday);
    const environment = {
      ...config.environment,
      ...own,
      ...(unit.environmentFile === undefined ? {} : { ENVIRONMENT_FILE: unit.environmentFile }),
      DROPLET_ROOT: config.root,
    };
    const [program, ...argv] = unit.command;
    if (program === undefined) throw new Error(`services/${name}.json has an empty "command".`);
    const log = openLog(`var/log/${name}.log`);
    try {
      const child = spawn(program, argv, {
        cwd: unit.cwd ?? config.root,
        env: { NODE_ENV: "production", ...environment },
        detached: true,
        stdio: ["ignore", log, log],
      });
      service.child = child;
      service.startedAt = Date.now();
      child.on("error", () => undefined);
      child.once("exit", () => gone(name, service, child));
      await new Promise<void>((resolve, reject) => {
        child.once("spawn", resolve);
        child.once("error", (error) => {
          service.child = undefined;
          reject(new Error(`${program} cannot be run (${error.message}): look at services/${name}.json.`));
        });
      });
      await writeFile(`run/${name}.pid`, String(child.pid));
    } finally {
      closeSync(log);
    }
  }

  function gone(name: string, service: Service, child: ChildProcess): void {
    if (service.child !== child) return;
    service.child = undefined;
    if (child.pid !== undefined) kill(-child.pid, "SIGKILL");
    if (Date.now() - service.startedAt > settledAfterMs) service.failures = 0;
    tryLater(name, service);
  }

  function tryLater(name: string, service: Service): void {
    if (!service.wanted || goingDown) return;
    const pause = Math.min(10_000, 250 * 2 ** service.failures);
    service.failures += 1;
    service.retry = setTimeout(() => {
      service.retry = undefined;
      if (service.wanted && !goingDown && service.child === undefined) {
        launch(name).catch(() => tryLater(name, service));
      }
    }, pause);
  }

  async function halt(name: string): Promise<void> {
    const service = serviceOf(name);
    clearTimeout(service.retry);
    service.retry = undefined;
    const { child } = service;
    const pid = child?.pid;
    if (child === undefined || pid === undefined) return;
    if (child.exitCode === null && child.signalCode === null) {
      const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
      kill(-pid, "SIGTERM");
      const timer = setTimeout(() => kill(-pid, "SIGKILL"), 5_000);
      await exited;
      clearTimeout(timer);
    }
    kill(-pid, "SIGKILL");
    service.child = undefined;
    await rm(`run/${name}.pid`, { force: true });
  }

  async function rememberEnabled(): Promise<void> {
    const names = [...services].filter(([, service]) => service.wanted).map(([name]) => name);
    await writeFile(`${enabledFile}.new`, JSON.stringify(names));
    await rename(`${enabledFile}.new`, enabledFile);
  }

  async function start(name: string): Promise<InitAnswer> {
    const service = serviceOf(name);
    if (service.child !== undefined) return { code: 0, text: `${name} is running already.` };
    clearTimeout(service.retry);
    service.failures = 0;
    await launch(name);
    service.wanted = true;
    await rememberEnabled();
    // Long enough to tell a program that ends at once from one that runs.
    await delay(150);
    return service.child === undefined
      ? { code: 1, text: `${name} ended right after its start: look at $DROPLET_ROOT/var/log/${name}.log.` }
      : { code: 0, text: `${name} is running.` };
  }

  async function stop(name: string): Promise<InitAnswer> {
    serviceOf(name).wanted = false;
    await halt(name);
    await rememberEnabled();
    return { code: 0, text: `${name} is stopped.` };
  }

  async function answer(action: string, name: string): Promise<InitAnswer> {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) return { code: 2, text: `"${name}" is no service name.` };
    if (action === "start") return start(name);
    if (action === "stop") return stop(name);
    if (action === "restart") {
      await halt(name);
      return start(name);
    }
    const running = services.get(name)?.child;
    if (running !== undefined) return { code: 0, text: `${name} is running (process ${running.pid}).` };
    return { code: 3, text: `${name} is stopped.` };
  }

  // One request at a time: two restarts at once must not start two of a kind.
  let turn: Promise<unknown> = Promise.resolve();
  function inTurn(request: unknown): Promise<InitAnswer> {
    const next = turn.then(async (): Promise<InitAnswer> => {
      if (!Array.isArray(request)) return usage;
      const [first, second] = request.map(String);
      // Both orders are in use: `service start web` and Debian's `service web start`.
      const action = actions.find((candidate) => candidate === first || candidate === second);
      const name = action === first ? second : first;
      if (action === undefined || name === undefined) return usage;
      try {
        return await answer(action, name);
      } catch (error) {
        return { code: 5, text: error instanceof Error ? error.message : String(error) };
      }
    });
    turn = next;
    return next;
  }

  return {
    /** Listens for the `service` command. */
    listen(socket: string): Promise<void> {
      const server = createServer({ allowHalfOpen: true }, (connection) => {
        let text = "";
        connection.setEncoding("utf8");
        connection.on("data", (part: string) => {
          text += part;
        });
        connection.on("error", () => undefined);
        connection.on("end", () => {
          void inTurn(parseJson(text)).then((result) => connection.end(JSON.stringify(result)));
        });
      });
      return new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(socket, resolve);
      });
    },
    /** Starts what was on when the droplet went down; one that cannot start does not stop the others. */
    async startEnabled(): Promise<void> {
      const names = parseJson(await readFile(enabledFile, "utf8").catch(() => "[]"));
      for (const name of Array.isArray(names) ? names.map(String) : []) {
        const service = serviceOf(name);
        service.wanted = true;
        await launch(name).catch((error: unknown) => {
          console.error(`${name} did not start:`, error);
          tryLater(name, service);
        });
      }
    },
    async shutDown(): Promise<void> {
      goingDown = true;
      await Promise.all([...services.keys()].map(halt));
    },
  };
}

const usage: InitAnswer = { code: 2, text: "Usage: service start|stop|restart|status <name>" };

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readUnit(name: string, ofToday: (text: string) => string): Promise<Unit> {
  const file = `services/${name}.json`;
  const text = await readFile(file, "utf8").catch(() => {
    throw new Error(`There is no service ${name}: $DROPLET_ROOT/${file} is not there. Write it first.`);
  });
  const content = parseJson(text);
  const fields = new Map<string, unknown>(isObject(content) ? Object.entries(content) : []);
  const command = fields.get("command");
  const optional = (field: string): string | undefined => {
    const value = fields.get(field);
    if (value === undefined || value === null) return undefined;
    if (typeof value === "string") return ofToday(value);
    throw new Error(`$DROPLET_ROOT/${file}: "${field}" must be a path.`);
  };
  if (!Array.isArray(command) || !command.every((word) => typeof word === "string")) {
    throw new Error(`$DROPLET_ROOT/${file}: "command" must be a list of words, such as ["node", "app.mjs"].`);
  }
  return {
    command: command.map(ofToday),
    cwd: optional("cwd"),
    environmentFile: optional("environmentFile"),
  };
}

async function readEnvironment(file: string, ofToday: (text: string) => string): Promise<Environment> {
  const content = parseJson(
    await readFile(file, "utf8").catch(() => {
      throw new Error(`The environment file ${file} is not there. Write it before starting the service.`);
    }),
  );
  const entries = isObject(content) ? Object.entries(content) : undefined;
  const wrong = entries?.find(([, value]) => typeof value !== "string");
  if (entries === undefined || wrong !== undefined) {
    throw new Error(`The environment file ${file} must be a JSON object of texts.`);
  }
  return Object.fromEntries(entries.map(([name, value]) => [name, ofToday(String(value))]));
}

function isObject(content: unknown): content is object {
  return typeof content === "object" && content !== null && !Array.isArray(content);
}

function openLog(file: string): number {
  try {
    if (statSync(file).size > biggestLog) truncateSync(file);
  } catch {
    // There is no log yet.
  }
  return openSync(file, "a");
}
