import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/**
 * What a worker under test is told, in a file of its folder: whose steps are watched, and where it ends itself. What
 * it did is in another file beside it, which every life of the worker appends to.
 */
const plan = z.object({
  /** Seeds the choice of boundaries. */
  seed: z.number().int(),
  /** Which part of all boundaries is chosen, 0 < share ≤ 1. */
  share: z.number(),
  /** Leaves out "intent": whoever comes after it has to wait until an unclear call would show. */
  isQuick: z.boolean().default(false),
  /** The one boundary instead of a choice. */
  at: z.string().optional(),
  /** SIGSTOP leaves a process that believes that its claims are still its own. */
  signal: z.enum(["SIGKILL", "SIGSTOP"]),
  /** The operations that are watched, by id. */
  lives: z.record(
    z.string(),
    z.object({
      /** What becomes of the operation, as it is told in the report: "cancelled at provision". */
      path: z.string(),
      /** Cancel is pressed while this step runs. */
      cancelAt: z.string().optional(),
      /** This step fails for good in the operation's first round, after its effect. */
      failAt: z.string().optional(),
    }),
  ),
});
export type Plan = z.infer<typeof plan>;
export type Life = Plan["lives"][string];

export const writePlan = (folder: string, wanted: z.input<typeof plan>): void =>
  writeFileSync(join(folder, "plan.json"), JSON.stringify(wanted));
export const readPlan = (folder: string): Plan =>
  plan.parse(JSON.parse(readFileSync(join(folder, "plan.json"), "utf8")));

const entry = z.object({
  what: z.enum([
    /** The process ended or stopped itself at this boundary. */
    "kill",
    /** It came to a boundary that was not chosen. */
    "pass",
    /** A step's function was called: the operation's id and the step's name instead of a boundary. */
    "run",
  ]),
  /** "spawn | to its end | create-droplet | intent". */
  boundary: z.string(),
  worker: z.string(),
  /** Unix ms. */
  at: z.number(),
});
export type Entry = z.infer<typeof entry>;

const traceFile = (folder: string): string => join(folder, "trace.jsonl");

/** One write each, so that what several processes say does not mix, and a SIGKILL that follows loses nothing. */
export const appendEntry = (folder: string, one: Entry): void =>
  appendFileSync(traceFile(folder), `${JSON.stringify(one)}\n`);

export const readEntries = (folder: string): Entry[] =>
  existsSync(traceFile(folder))
    ? readFileSync(traceFile(folder), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => entry.parse(JSON.parse(line)))
    : [];
