import type { z } from "zod";
import type { Tx } from "#db/client.ts";
import type {
  aliases,
  InstanceStatus,
  instances,
  JsonObject,
  OperationKind,
  OperationState,
  StepProgress,
} from "#db/schema.ts";
import type { DriftAction } from "#server/drift/findings.ts";
import type { InstanceRule } from "#server/instances/rules.ts";
import type { BackupStore } from "#server/providers/backups/backups.ts";
import type { Transfer } from "#server/providers/backups/transfer.ts";
import type { verifyArchive } from "#server/providers/backups/verify.ts";
import type { DigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import type { Probe } from "#server/providers/probe.ts";

export type Instance = typeof instances.$inferSelect;
export type Alias = typeof aliases.$inferSelect;

/** The outside world, as the steps reach it. */
export type Providers = {
  digitalocean: DigitalOcean;
  playbooks: PlaybookRunner;
  /** Where backups live, and the way between there and a droplet. */
  backups: BackupStore;
  transfer: Transfer;
  /** Reads an archive back from where it is stored, and opens it. */
  verifyArchive: typeof verifyArchive;
  probe: Probe;
  /** First contact: the host key a droplet shows, undefined while nothing answers. */
  scanHostKey: (host: { address: string; port: number }) => Promise<string | undefined>;
};

/** The providers as a claimed step has them: see guard.ts. */
export type StepProviders = Omit<Providers, "digitalocean"> & { digitalocean: Omit<DigitalOcean, "for"> };

/** What differs between a droplet of the local cloud and a server on the internet. */
export type Site = {
  runtime: "local" | "server";
  scheme: "http" | "https";
  /** Port in an instance's URL; undefined for the scheme's own. */
  port: number | undefined;
  sshPort: number;
  webPort: number;
  image: string;
  releasesUrl: string;
  privateKeyFile: string;
  publicKey: string;
  keyName: string;
};

export type Variable = { name: string; value: string; secret: boolean };

/** What the fields of a schema hold: the facts of an operation are what its schema says. */
export type FactsOf<Fields extends Record<string, z.ZodType>> = {
  [Name in keyof Fields]: z.infer<Fields[Name]>;
};

/** Facts that may not be known yet. */
export type Known<Facts> = { [Name in keyof Facts]?: Facts[Name] | undefined };

export type StepContext<Facts> = {
  operation: { id: string; round: number; createdAt: number; statusBefore: InstanceStatus };
  instance: Instance;
  /** Other names that lead to the instance. */
  aliases: readonly Alias[];
  /** The step that runs. */
  step: string;
  /** What earlier steps learned. */
  facts: Known<Facts>;
  /** The instance's variables in effect, opened; never log them. */
  variables: readonly Variable[];
  /** Another set of them. */
  variablesOf: (set: number) => readonly Variable[];
  /** The values nobody may read, of all sets that the operation has to do with. */
  secrets: () => readonly string[];
  url: string;
  urlOf: (at: { slug: string; domain: string }) => string;
  site: Site;
  providers: StepProviders;
  signal: AbortSignal;
  /** Wall clock, Unix ms. */
  now: () => number;
  /** Ms that only grow: what `elapsed` and every age among the facts is measured with. See server/clock.ts. */
  monotonic: () => number;
  /** How long this step has been running, in ms. */
  elapsed: () => number;
  /** Ms this step usually takes at least (10th percentile of earlier runs); undefined without history. */
  usuallyAtLeastMs: number | undefined;
  /** For whoever watches the outside on a waiting step's behalf: has the step looked at now. Never throws. */
  lookNow: () => void;
  /** Commits facts before the step goes on: the intent that precedes a call to the outside. */
  remember(facts: Known<Facts>): void;
};

export type LogEntry = { at: number; text: string; failed?: boolean };
type Learned<Facts> = {
  facts?: Known<Facts>;
  instance?: Partial<Instance>;
  log?: LogEntry[];
  /** Rows of other tables that belong to the same moment; runs in the outcome's transaction. */
  rows?: (tx: Tx) => void;
  /** What may be put away once all of this is written; a crash in between leaves it undone. */
  afterwards?: () => void;
};
export type Outcome<Facts> =
  | ({ done: true; skipped?: boolean } & Learned<Facts>)
  | ({ done: false; afterMs: number | undefined; progress?: StepProgress } & Learned<Facts>);

/** The step is finished. */
export function done<Facts>(learned: Learned<Facts> = {}): Outcome<Facts> {
  return { done: true, ...learned };
}

/** There is nothing to do here this time. */
export function skipped<Facts>(learned: Learned<Facts> = {}): Outcome<Facts> {
  return { done: true, skipped: true, ...learned };
}

/** Not yet: look again after `afterMs`, or after the poll's own interval. */
export function later<Facts>(
  learned: Learned<Facts> & { afterMs?: number; progress?: StepProgress } = {},
): Outcome<Facts> {
  return { afterMs: undefined, ...learned, done: false };
}

/** A failure that another attempt does not mend: Joe decides. */
export class StepFailure extends Error {
  readonly userMessage: string;
  readonly detail: string;
  readonly log: LogEntry[];
  constructor(userMessage: string, detail: string) {
    super(userMessage);
    this.name = "StepFailure";
    this.userMessage = userMessage;
    this.detail = detail;
    this.log = [];
  }
}

export type Step<Facts> = {
  name: string;
  label: string;
  run: (context: StepContext<Facts>) => Promise<Outcome<Facts>>;
  /** Attempts before a passing fault becomes a failure. */
  tries: number;
  /** Ms between two looks, when the outcome names none. */
  everyMs: number;
  /** Ms after which a step that still waits has failed, and how to say so. */
  giveUp: { afterMs: number; userMessage: string } | undefined;
  /** Ms after which one call of it is aborted. */
  timeoutMs: number;
  /** Once it has begun there is no way back, so that Cancel is refused. */
  final: boolean;
  /** What kind of slot it takes, of which there are only so many; undefined when it may always run. */
  slot: SlotName | undefined;
  /**
   * Cancel cuts it short by its signal. Only for what leaves nothing unclear when it is: a request that buys or changes
   * something comes to its end first.
   */
  abortable: boolean;
  /**
   * Stops what the step left running outside, and resolves when nothing of it runs any more: before the step is
   * cancelled, and before it has failed.
   */
  stop: ((context: StepContext<Facts>) => Promise<void>) | undefined;
  /** Whether an operation that begins with these facts has the step at all; without it, each has. */
  isPlanned?: (facts: Known<Facts>) => boolean;
  /** The instance's data may be incomplete if it fails half way. */
  replacesData?: true;
  /** What undoes this step when the operation is cancelled, so that nothing is left that costs money: see undoneBy. */
  undo?: readonly Step<Facts>[];
};

/** Playbooks keep this machine's cores busy; transfers may take hours, and everything else waits for neither. */
export type SlotName = "playbooks" | "transfers";

/** One thing done once; may ask to be called again. */
export function step<Facts>(
  name: string,
  label: string,
  run: Step<Facts>["run"],
  options: Partial<Pick<Step<Facts>, "giveUp" | "timeoutMs" | "final" | "slot" | "abortable" | "stop">> = {},
): Step<Facts> {
  return {
    name,
    label,
    run,
    tries: 5,
    everyMs: 1000,
    giveUp: options.giveUp,
    timeoutMs: options.timeoutMs ?? stepTimeoutMs,
    final: options.final ?? false,
    slot: options.slot,
    abortable: options.abortable ?? false,
    stop: options.stop,
  };
}

/** Looks at something until it is so. */
export function poll<Facts>(
  name: string,
  label: string,
  options: {
    everyMs: number;
    giveUp: { afterMs: number; userMessage: string };
    slot?: SlotName;
    stop?: Step<Facts>["stop"];
  },
  run: Step<Facts>["run"],
): Step<Facts> {
  return {
    name,
    label,
    run,
    tries: 20,
    everyMs: options.everyMs,
    giveUp: options.giveUp,
    timeoutMs: stepTimeoutMs,
    final: false,
    slot: options.slot,
    abortable: false,
    stop: options.stop,
  };
}

/** A step and the steps that undo it. A cancelled operation undoes its steps from the last to the first. */
export const undoneBy = <Facts>(undone: Step<Facts>, ...undo: Step<Facts>[]): Step<Facts> => ({
  ...undone,
  undo,
});

export type Together<Facts> = { branches: Step<Facts>[][] };

/** Branches that run side by side; what follows waits for all of them. */
export function together<Facts>(...branches: Step<Facts>[][]): Together<Facts> {
  return { branches };
}

/** How long one call of a step may take before its signal aborts it, unless the step says otherwise. */
export const stepTimeoutMs = 120_000;

/** A status, or the one from before: for what changes nothing about how the instance is. */
export type StatusAfter = InstanceStatus | "before";

/** What is known of an operation that was cancelled or has failed. */
export type Aftermath<Facts> = {
  facts: Known<Facts>;
  instance: Pick<Instance, "status" | "dropletId" | "dropletGoneAt" | "snapshotId" | "priceMonthlyCents">;
  /** Putting things back has failed as well. */
  isStuck: boolean;
};
export type UserMessage<Facts> = string | ((aftermath: Aftermath<Facts>) => string);

/** What is true of an operation that doesn't get to its end, and what of it costs money: no more than the rows know. */
type UserMessages<Facts> = {
  /** Before Joe cancels it: what is then undone, and what is left. */
  cancelling: string;
  /** Once it was cancelled. */
  cancelled: UserMessage<Facts>;
  /** Once it has failed, without why. */
  failed: UserMessage<Facts>;
};

export type OperationDefinition<Facts> = {
  kind: OperationKind;
  /** As Joe calls it: "Spawn". */
  label: string;
  userMessages: UserMessages<Facts>;
  /** Parses the facts as they come from the database. */
  facts: z.ZodType<Known<Facts>>;
  steps: (Step<Facts> | Together<Facts>)[];
  /** What a cancelled operation runs: its steps' undos in reverse, unless the definition lists its own. */
  undo: Step<Facts>[];
  /**
   * What an operation that failed for good does by itself, so that the instance is as it was before. Retry then
   * begins again at `redoFrom`.
   */
  rescue?: { steps: Step<Facts>[]; redoFrom: string };
  /** The instance's status while it runs, and when it is over. */
  status: { during: StatusAfter; done: StatusAfter; cancelled: StatusAfter; failed: StatusAfter };
  /** False for what leaves the instance alone, so that it may run beside something that does not. */
  mutating: boolean;
  /** The rule for both its button and its command; without one it may start in any state. */
  allowed?: InstanceRule;
  /** Why a failed one must not be retried, in a sentence. */
  noRetry?: (
    /** Its rollback got stuck while it replaced the data. */
    now: Pick<Instance, "isProtected" | "status"> & { isStuckReplacingData: boolean },
  ) => string | undefined;
  /** What visitors see meanwhile, after the company's name: "is being restored". Without it they see nothing. */
  visitorStatus?: string;
  /** It leaves the instance as it was, so an earlier failed operation can still be retried or cancelled. */
  changesNothing?: true;
  /** What it leaves at DigitalOcean tagged with its id, by which drift recognizes it. */
  leavesAtDigitalOcean?: "own-droplet" | "throwaway-droplet" | "snapshot";
  /**
   * It may have bought a droplet or made a record that no row knows of, because DigitalOcean's answer was lost: later
   * operations of the instance get its requests, to look for what they made.
   */
  leavesRequests?: true;
  /** Once it's done, the intranet runs with the version, address, names and variables of its row. */
  appliesConfiguration?: true;
  /** It applies a configuration that the row doesn't have yet, which may stay in effect if it fails half way. */
  changesConfiguration?: true;
  /** It installs a version that the row doesn't have yet, which may stay half installed if it fails. */
  changesSoftware?: true;
  /** The button on the Drift page that starts it. */
  driftAction?: DriftAction;
  /** All it does is resolve drift: the next round of reconciliation doesn't wait for changes to settle. */
  repairsDrift?: true;
  /** Rows of other tables that end together with it. */
  ended?: (
    tx: Tx,
    operation: { id: string; instanceId: string; facts: JsonObject },
    state: OperationState,
    now: number,
  ) => void;
};

// The engine runs any operation: inside it, facts are a record that the operation's own schema has parsed.
export type AnyFacts = Record<string, unknown>;
export type AnyDefinition = OperationDefinition<AnyFacts>;

/** Declares an operation: data that the page draws before anything ran, with plain functions inside. */
export function defineOperation<Facts extends AnyFacts>(
  definition: Omit<OperationDefinition<Facts>, "undo"> & Partial<Pick<OperationDefinition<Facts>, "undo">>,
): AnyDefinition {
  // Facts are parsed by definition.facts before any step sees them, so widening the parameter is sound.
  const declared = { ...definition, undo: definition.undo ?? [] } as unknown as AnyDefinition;
  const ofSteps = everyStep(declared).flatMap(({ step: { undo = [] } }) => [undo]);
  const derived = ofSteps.reverse().flat();
  if (definition.undo !== undefined && derived.length > 0)
    throw new Error(`${definition.kind} declares its undo twice: in its steps and in its definition`);
  return definition.undo === undefined ? { ...declared, undo: derived } : declared;
}

export type PlannedStep = {
  step: Step<AnyFacts>;
  position: number;
  fork: number | null;
  branch: number | null;
};

/** Whether an operation with these facts has the step. */
export const isPlannedFor =
  (facts: AnyFacts) =>
  ({ isPlanned }: Step<AnyFacts>): boolean =>
    isPlanned?.(facts) ?? true;

/** The plan of an operation that begins with these facts as rows, in the order Joe reads them. */
export const plannedSteps = (definition: AnyDefinition, facts: AnyFacts = {}): PlannedStep[] =>
  everyStep(definition).filter(({ step }) => isPlannedFor(facts)(step));

/** All steps that there may be, as rows. */
export function everyStep(definition: AnyDefinition): PlannedStep[] {
  const rows: PlannedStep[] = [];
  definition.steps.forEach((entry, index) => {
    if ("branches" in entry) {
      entry.branches.forEach((branch, lane) => {
        for (const one of branch) rows.push({ step: one, position: rows.length, fork: index, branch: lane });
      });
    } else {
      rows.push({ step: entry, position: rows.length, fork: null, branch: null });
    }
  });
  return rows;
}
