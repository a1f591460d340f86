import { stripVTControlCharacters } from "node:util";
import type { PlaybookEvent } from "./playbooks.ts";

/** Causes seen in practice, most telling first. `{task}` is the failing task's name. */
const CAUSES: readonly { pattern: RegExp; userMessage: string }[] = [
  {
    pattern: /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i,
    userMessage:
      "The droplet's host key has changed since first contact, so nothing was sent to it. Destroy the instance and spawn it again.",
  },
  {
    pattern: /Permission denied \(publickey|Too many authentication failures/i,
    userMessage: "The droplet refused the Spawner's SSH key. Destroy the instance and spawn it again.",
  },
  {
    pattern: /No space left on device|Disk quota exceeded|Errno 28\b/i,
    userMessage: "The droplet's disk is full. Choose a larger size, or free up some space, then try again.",
  },
  {
    pattern: /Could not get lock|lock.*held by process|Failed to lock (apt|directory)/i,
    userMessage: "The droplet is still installing its own updates. Try again in a few minutes.",
  },
  {
    pattern:
      /UNREACHABLE!|Connection refused|No route to host|Network is unreachable|Connection timed out|Operation timed out|Connection closed by|Connection reset|timed out waiting for ping/i,
    userMessage:
      "The droplet couldn't be reached over SSH. Try again; if that doesn't help, check at DigitalOcean that it's on.",
  },
];

const BY_TASK: Readonly<Record<string, string>> = {
  "Download the intranet's software":
    "The intranet's software couldn't be downloaded. Check that this version exists, then try again.",
  "Install Docker and the firewall":
    "The droplet couldn't install the software it needs. Try again in a few minutes.",
  "Wait for the intranet to answer":
    "The intranet was started but doesn't answer. Check its variables and version, then try again.",
};

/**
 * Why a run failed: a sentence for the person in front of the dashboard, and the technical message.
 * `events` are all of a run's, or at least its last ones; they come masked.
 */
export function explainFailure(events: readonly PlaybookEvent[]): { userMessage: string; detail: string } {
  const interruption = explainInterruption(events);
  if (interruption !== undefined) return interruption;
  const failures = events.filter((event) => event.failed === true);
  const last = failures.at(-1);
  if (last === undefined) return explainWithoutTask(events);
  const text = stripVTControlCharacters(failures.map((event) => event.line).join("\n"));
  if (failures.some(({ ended }) => ended === "timed-out")) {
    const where = last.task === undefined ? "" : ` It had reached the step "${last.task.name}".`;
    return {
      userMessage: `Setting up the droplet took too long and was stopped.${where} Try again.`,
      detail: text.trim(),
    };
  }
  const detail = messageIn(text);
  const task = last.task?.name ?? "";
  // SSH troubles have one cause whatever the task; a refused connection inside a task is the task's own.
  const connection = /UNREACHABLE!|timed out waiting for ping/i.test(text);
  const cause = CAUSES.find(
    ({ pattern }, index) => pattern.test(text) && (connection || index < CAUSES.length - 1),
  );
  if (cause !== undefined) return { userMessage: cause.userMessage, detail };
  return { userMessage: BY_TASK[task] ?? `The step "${task}" failed.`, detail };
}

const linesOf = (events: readonly PlaybookEvent[]) =>
  events.map((event) => stripVTControlCharacters(event.line)).filter((line) => line.trim() !== "");

/** Explains a run that was ended from outside; undefined for other runs. */
function explainInterruption(
  events: readonly PlaybookEvent[],
): { userMessage: string; detail: string } | undefined {
  const end = events.at(-1)?.ended;
  if (end === "cancelled")
    return { userMessage: "Ansible was stopped.", detail: "The run was cancelled from outside." };
  if (end === "lost") {
    const [before = "", last = ""] = ["", ...linesOf(events)].slice(-2);
    return {
      userMessage: "Ansible was interrupted on the Spawner's own machine and left no result. Try again.",
      detail: `${last} ${before}`.trim(),
    };
  }
  return undefined;
}

function explainWithoutTask(events: readonly PlaybookEvent[]): { userMessage: string; detail: string } {
  const lines = linesOf(events);
  const error = lines.findLastIndex((line) => /ERROR/.test(line));
  return {
    userMessage:
      "The playbook stopped before its first step. Something is wrong with the Spawner's installation.",
    detail: (error === -1 ? lines.slice(-5) : lines.slice(error, error + 5)).join("\n"),
  };
}

/** Ansible prints `fatal: [droplet]: FAILED! => {"msg": …}`: the messages inside, else the whole text. */
function messageIn(text: string): string {
  const start = text.indexOf("=> {");
  const parsed = start === -1 ? undefined : parseObject(text.slice(start + 3));
  if (parsed === undefined) return text.trim();
  const parts = [parsed, ...itemsOf(parsed)].flatMap(textsOf);
  return parts.length === 0 ? text.trim() : [...new Set(parts)].join("\n");
}

/** What a module says about its failure; `response` is what a web server answered. */
function textsOf(result: Record<string, unknown>): string[] {
  return ["msg", "response", "stderr", "stdout"].flatMap((name) => {
    const value = result[name];
    return typeof value === "string" && value.trim() !== "" ? [value.trim()] : [];
  });
}

/** A task with a loop has one result for each item. */
function itemsOf(result: Record<string, unknown>): Record<string, unknown>[] {
  const { results } = result;
  if (!Array.isArray(results)) return [];
  return results.flatMap((item: unknown) =>
    typeof item === "object" && item !== null && "failed" in item && item.failed === true
      ? [{ ...item }]
      : [],
  );
}

function parseObject(text: string): Record<string, unknown> | undefined {
  const end = text.lastIndexOf("}");
  try {
    const value: unknown = JSON.parse(text.slice(0, end + 1));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
