import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { maskSecrets } from "#server/masking.ts";
import type { PlaybookEvent, PlaybookTask } from "./playbooks.ts";

/** What we use of ansible-runner's `job_events/<counter>-<uuid>.json`. */
const jobEventSchema = z.object({
  counter: z.number().int(),
  event: z.string(),
  stdout: z.string().default(""),
  created: z.string().optional(),
  event_data: z
    .object({
      task: z.string().optional(),
      ignore_errors: z.boolean().nullish(),
      processed: z.record(z.string(), z.number()).optional(),
      failures: z.record(z.string(), z.number()).optional(),
      dark: z.record(z.string(), z.number()).optional(),
    })
    .optional()
    .catch(undefined),
});

export type JobEvent = z.infer<typeof jobEventSchema>;

/**
 * The events with a counter above `after`, in order. While the run is going (`ended: false`) the batch stops
 * at the first event that is missing or only half written: the next reading begins there. Once it has ended
 * nothing more will come, and what cannot be read is passed over.
 */
export async function readJobEvents(folder: string, after: number, ended: boolean): Promise<JobEvent[]> {
  const files = (await namesIn(folder))
    .flatMap(counterOf)
    .filter(({ counter }) => counter > after)
    .sort((a, b) => a.counter - b.counter);
  const events: JobEvent[] = [];
  let next = after + 1;
  for (const { name, counter } of files) {
    if (!ended && counter !== next) break;
    const event = parse(await readFile(join(folder, name), "utf8").catch(() => ""));
    if (event === undefined && !ended) break;
    if (event !== undefined) events.push({ ...event, counter });
    next = counter + 1;
  }
  return events;
}

/** More than follow the statistics: a warning or two. */
const TAIL = 5;

/**
 * Whether the playbook has ended and nothing went wrong. Its statistics are the last it does; from them Ansible makes
 * its exit status, and what comes after is two Pythons that take their time to end. False when only the status tells.
 */
export async function hasSucceeded(folder: string): Promise<boolean> {
  const newest = (await namesIn(folder)).flatMap(counterOf).sort((a, b) => b.counter - a.counter);
  for (const { name } of newest.slice(0, TAIL)) {
    const event = parse(await readFile(join(folder, name), "utf8").catch(() => ""));
    if (event?.event !== "playbook_on_stats") continue;
    const { processed = {}, failures, dark } = event.event_data ?? {};
    const isNone = (hosts: Record<string, number> | undefined) =>
      hosts !== undefined && Object.keys(hosts).length === 0;
    return Object.keys(processed).length > 0 && isNone(failures) && isNone(dark);
  }
  return false;
}

/** A finished event's file, as a list of one; the runner writes others beside it while it works. */
export function counterOf(name: string): { name: string; counter: number }[] {
  const match = /^(\d+)-.*\.json$/.exec(name);
  return match === null || name.includes("-partial") ? [] : [{ name, counter: Number(match[1]) }];
}

/** Where a reader stands: how many tasks began, and the last one's name. */
export type TaskPosition = { index: number; name: string };

export const BEFORE_THE_FIRST_TASK: TaskPosition = { index: 0, name: "" };

/** The position after an event. */
export function positionAfter(position: TaskPosition, event: JobEvent): TaskPosition {
  if (event.event !== "playbook_on_task_start") return position;
  return { index: position.index + 1, name: event.event_data?.task ?? "" };
}

/** The lines of one event; an event without output has none. `position` is the one after the event. */
export function linesOf(
  event: JobEvent,
  position: TaskPosition,
  total: number,
  secrets: readonly string[],
): PlaybookEvent[] {
  if (event.stdout === "") return [];
  const task: PlaybookTask | undefined =
    position.index === 0 || event.event === "playbook_on_stats"
      ? undefined
      : {
          index: position.index,
          total: Math.max(total, position.index),
          name: maskSecrets(position.name, secrets),
        };
  const failed = isFailure(event);
  return maskSecrets(event.stdout.replaceAll("\r\n", "\n").replaceAll("\r", "\n"), secrets)
    .split("\n")
    .map((line) => ({
      at: timeOf(event),
      line,
      ...(task === undefined ? {} : { task }),
      ...(failed && line.trim() !== "" ? { failed: true as const } : {}),
    }));
}

function isFailure(event: JobEvent): boolean {
  if (event.event_data?.ignore_errors === true) return false;
  return event.event === "runner_on_failed" || event.event === "runner_on_unreachable";
}

/** ansible-runner writes UTC; older versions leave the zone out. */
function timeOf(event: JobEvent): number {
  if (event.created === undefined) return Date.now();
  const zoned = /(Z|[+-]\d\d:\d\d)$/.test(event.created) ? event.created : `${event.created}Z`;
  const time = Date.parse(zoned);
  return Number.isNaN(time) ? Date.now() : time;
}

function parse(text: string): JobEvent | undefined {
  try {
    return jobEventSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  // Before the first event there is no folder.
  return readdir(folder).catch(() => []);
}
