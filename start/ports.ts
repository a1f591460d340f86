import { randomInt } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

/** Whether the port can be listened on, on every address (`host` undefined) or on one. */
export function isPortFree(port: number, host?: string): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => done(true)));
  });
}

/** Where the system takes the ports of outgoing connections from neither on Linux (32768 up) nor on macOS (49152 up). */
const own = { first: 15_000, count: 17_000 };

/**
 * A port that is free now, and that no outgoing connection takes before it is listened on. Chosen at random, so that
 * two who ask at once are not given the same one.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = own.first + randomInt(own.count);
    if (await isPortFree(port)) return port;
  }
}

/**
 * Undefined when the port is free; else a sentence that names the port, who holds it when the system tells, and the
 * variable that chooses another.
 */
export async function portProblem(
  port: number,
  variable: string,
  host?: string,
): Promise<string | undefined> {
  if (await isPortFree(port, host)) return undefined;
  const holder = holderOf(port);
  const who = holder === undefined ? "another process" : `${holder.name} (process ${holder.pid})`;
  return `Port ${port} is in use by ${who}. Stop it, or choose another port: ${variable}=${port + 1} npm start`;
}

/** The process that listens on the port, from /proc; undefined elsewhere or when it is somebody else's. */
function holderOf(port: number): { pid: number; name: string } | undefined {
  const inodes = new Set(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listeningInodes(table, port)),
  );
  if (inodes.size === 0) return undefined;
  for (const pid of list("/proc").filter((name) => /^\d+$/.test(name)))
    for (const handle of list(`/proc/${pid}/fd`))
      if (inodes.has(linkOf(`/proc/${pid}/fd/${handle}`)))
        return { pid: Number(pid), name: readOr(`/proc/${pid}/comm`).trim() };
  return undefined;
}

function listeningInodes(table: string, port: number): string[] {
  const ending = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readOr(table).split("\n").slice(1);
  return rows.flatMap((row) => {
    const fields = row.trim().split(/\s+/);
    return fields[1]?.endsWith(ending) && fields[3] === "0A" ? [`socket:[${fields[9]}]`] : [];
  });
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return "";
  }
}

function readOr(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
