import { z } from "zod";
import {
  done,
  type FactsOf,
  type Known,
  type LogEntry,
  later,
  type Outcome,
  poll,
  type Step,
  type StepContext,
  StepFailure,
  skipped,
} from "#server/operations/engine/define.ts";
import { explainFailure } from "#server/providers/playbooks/explainFailure.ts";
import type { JsonValue, PlaybookName } from "#server/providers/playbooks/playbooks.ts";
import { report } from "#server/report.ts";
import { machineFacts, machineOf } from "./machineFacts.ts";

/** Where the reading of each step's playbook stands: in which round it began, how far it was read, how often it was lost. */
const runs = z.record(z.string(), z.object({ round: z.number(), cursor: z.number(), lost: z.number() }));
export const playbookFacts = { ...machineFacts, runs };
export type PlaybookFacts = FactsOf<typeof playbookFacts>;

/** How often a run that vanished (a reboot of this machine) is begun anew before Joe is asked. */
const lostRunsAllowed = 2;
/** How often a run that tells its news is looked at all the same. */
const watchedEveryMs = 15_000;
const giveUpAfterMs = 45 * 60_000;

type Options<Facts extends PlaybookFacts> = {
  playbook: PlaybookName;
  /** The playbook's variables; undefined when there is nothing to do for it this time. */
  vars: (context: StepContext<Facts>) => Record<string, JsonValue> | undefined;
  /** What is true once it has ended well. */
  learned?: (context: StepContext<Facts>) => Omit<Outcome<Facts>, "done" | "afterMs" | "progress" | "log">;
};

/** A step that runs a playbook on the operation's machine: begins it once, then reads on from its cursor. */
export function playbookStep<Facts extends PlaybookFacts>(
  name: string,
  label: string,
  options: Options<Facts>,
): Step<Facts> {
  return poll<Facts>(
    name,
    label,
    {
      everyMs: 300,
      giveUp: { afterMs: giveUpAfterMs, userMessage: `“${label}” didn't finish within 45 minutes.` },
      slot: "playbooks",
      stop: async (context) => {
        const begun = context.facts.runs?.[context.step];
        if (begun === undefined) return;
        const key = keyOf(context, begun);
        await context.providers.playbooks.cancelRun(key);
        await context.providers.playbooks.forgetRun(key);
      },
    },
    (context) => run(context, options),
  );
}

function runOf(context: StepContext<PlaybookFacts>) {
  const known = context.facts.runs?.[context.step];
  const { round } = context.operation;
  return known?.round === round ? known : { round, cursor: 0, lost: 0 };
}

const keyOf = (
  { operation, step }: StepContext<PlaybookFacts>,
  { round, lost }: { round: number; lost: number },
) => `${operation.id}-${step}-${round}-${lost}`;

/** The operation that a run belongs to, by the run's key. */
export const operationOfRun = (key: string): string => key.slice(0, key.indexOf("-"));

async function run<Facts extends PlaybookFacts>(
  context: StepContext<Facts>,
  { playbook, vars, learned }: Options<Facts>,
): Promise<Outcome<Facts>> {
  const { providers, site } = context;
  const at = runOf(context);
  // A run that has been read already was begun: its variables are not needed any more.
  const values = at.cursor === 0 ? vars(context) : {};
  if (values === undefined) return skipped();
  const { address, hostKey } = machineOf(context);
  if (address === undefined || hostKey === undefined)
    throw new StepFailure("The droplet has no address yet.", "address or host key is not known");
  const key = keyOf(context, at);
  const facts = (next: { round: number; cursor: number; lost: number }): Known<Facts> =>
    ({ runs: { ...context.facts.runs, [context.step]: next } }) as Known<Facts>;
  // On disk before it begins: whoever comes after a crash knows what there may be to stop and to put back.
  if (context.facts.runs?.[context.step]?.round !== at.round) context.remember(facts(at));
  if (at.cursor === 0)
    await providers.playbooks.ensureRun({
      key,
      playbook,
      host: {
        address,
        port: site.sshPort,
        user: "root",
        hostKeys: [hostKey],
        privateKeyFile: site.privateKeyFile,
      },
      vars: values,
    });
  const secrets = context.secrets();
  const read = await providers.playbooks.readRun(key, at.cursor, secrets);
  const log: LogEntry[] = read.events.map((event) => ({
    at: event.at,
    text: event.line,
    ...(event.failed === true ? { failed: true } : {}),
  }));
  const task = read.events.findLast((event) => event.task !== undefined)?.task;
  if (read.state === "running") {
    const isWatched = providers.playbooks.onNews?.(key, read.cursor, context.lookNow) === true;
    return later({
      ...(isWatched ? { afterMs: watchedEveryMs } : {}),
      log,
      facts: facts({ ...at, cursor: read.cursor }),
      ...(task === undefined ? {} : { progress: { index: task.index, total: task.total, label: task.name } }),
    });
  }
  if (read.state === "succeeded") {
    // Nothing waits for it: what a crash would leave is a folder without secrets.
    const afterwards = () =>
      void providers.playbooks
        .forgetRun(key)
        .catch((error: unknown) => report("could not remove a playbook run", error));
    const news = learned?.(context) ?? {};
    return done({
      ...news,
      log,
      facts: { ...facts({ ...at, cursor: read.cursor }), ...news.facts },
      afterwards,
    });
  }
  if (read.state === "lost" && at.lost < lostRunsAllowed)
    return later({
      facts: facts({ round: at.round, cursor: 0, lost: at.lost + 1 }),
      log: [...log, { at: context.now(), text: "The run disappeared from this machine. Starting it again." }],
    });
  const { userMessage, detail } = explainFailure((await providers.playbooks.readRun(key, 0, secrets)).events);
  const failure = new StepFailure(userMessage, detail);
  failure.log.push(...log);
  throw failure;
}
