import { Hono } from "hono";
import { z } from "zod";
import { type ObjectFault, objectFaults } from "#local-cloud/host/state.ts";
import { type Env, parseInput, readBody } from "./http.ts";

const requestFaults = [
  "latency",
  "status",
  "status-after-effect",
  "timeout",
  "timeout-after-effect",
  "drop",
  "drop-after-effect",
] as const;

const faultSchema = z.strictObject({
  match: z
    .strictObject({
      method: z.string().optional(),
      /** A prefix, or a regular expression when it begins with `^`. */
      path: z.string().optional(),
      /** Lets this many matching requests pass first. */
      after: z.number().int().min(0).default(0),
    })
    .prefault({}),
  /** How many requests it hits; null for all of them until it is deleted. */
  times: z.number().int().min(1).nullable().default(1),
  kind: z.enum([...requestFaults, ...objectFaults]),
  status: z.number().int().min(400).max(599).default(503),
  /** What the answer says; without it what DigitalOcean says with this status. */
  message: z.string().min(1).optional(),
  /** Latency, or how long a time-out holds the connection before it is cut. */
  ms: z.number().int().min(0).optional(),
});

export type Fault = z.infer<typeof faultSchema> & { id: number; hits: number };

export type Faults = {
  add(input: unknown): Fault;
  list(): Fault[];
  clear(): void;
  /** The faults this request meets; each is used up by it. */
  meet(method: string, path: string): Fault[];
};

/** Faults on demand: they are asked for over `/_faults` and live in memory only. */
export function createFaults(): Faults {
  let faults: (Fault & { seen: number })[] = [];
  let nextId = 1;
  const publicView = ({ seen: _, ...fault }: Fault & { seen: number }): Fault => fault;
  return {
    add(input) {
      const fault = { ...parseInput(faultSchema, input), id: nextId, hits: 0, seen: 0 };
      nextId += 1;
      faults.push(fault);
      return publicView(fault);
    },
    list: () => faults.map(publicView),
    clear() {
      faults = [];
    },
    meet(method, path) {
      const met: Fault[] = [];
      for (const fault of faults) {
        if (fault.times !== null && fault.hits >= fault.times) continue;
        if (!matches(fault, method, path)) continue;
        fault.seen += 1;
        if (fault.seen <= fault.match.after) continue;
        fault.hits += 1;
        met.push(publicView(fault));
      }
      return met;
    },
  };
}

function matches(fault: Fault, method: string, path: string): boolean {
  const wanted = fault.match;
  // Faults of an object make sense only where objects are made.
  const defaultMethod = isObjectFault(fault.kind) ? "POST" : undefined;
  const wantedMethod = wanted.method ?? defaultMethod;
  if (wantedMethod !== undefined && wantedMethod.toUpperCase() !== method) return false;
  const wantedPath = wanted.path ?? (isObjectFault(fault.kind) ? "/v2/droplets" : "/v2");
  return wantedPath.startsWith("^") ? new RegExp(wantedPath).test(path) : path.startsWith(wantedPath);
}

export function isObjectFault(kind: string): kind is ObjectFault {
  return objectFaults.some((fault) => fault === kind);
}

/** Sentinel input: a droplet whose name holds `fault-<kind>` gets that fault without any other request. */
export function faultsInName(name: string): ObjectFault[] {
  return objectFaults.filter((fault) => name.includes(`fault-${fault}`));
}

/** `POST|GET|DELETE /_faults`. */
export function faultRoutes(faults: Faults): Hono<Env> {
  const app = new Hono<Env>();
  app.post("/_faults", async (c) => c.json({ fault: faults.add(await readBody(c)) }, 201));
  app.get("/_faults", (c) => c.json({ faults: faults.list() }));
  app.delete("/_faults", (c) => {
    faults.clear();
    return c.body(null, 204);
  });
  return app;
}
