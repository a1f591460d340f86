/** What JSON can say: the shape of a playbook's variables. */
export type JsonValue = string | number | boolean | null | JsonValue[] | { [name: string]: JsonValue };

/** The machine a playbook works on. */
export type PlaybookHost = {
  /** An IP address or a host name. */
  address: string;
  port: number;
  user: string;
  /** Its pinned public keys ("ssh-ed25519 AAAA…"): a machine that shows another one is refused. */
  hostKeys: readonly string[];
  /** Path of the private key, on this machine. */
  privateKeyFile: string;
};

/** One run of one playbook. `key` names it for ever: the same key never runs twice. */
export type PlaybookRun = {
  key: string;
  playbook: PlaybookName;
  host: PlaybookHost;
  vars: Record<string, JsonValue>;
};

/** The playbooks there are, as ansible/<name>.yml. */
export const playbookNames = ["provision", "reconfigure", "backup", "restore", "unrestore"] as const;
export type PlaybookName = (typeof playbookNames)[number];

/** One line of a run's output, with its colours (ANSI). */
export type PlaybookEvent = {
  /** Milliseconds since 1970. */
  at: number;
  line: string;
  /** The task it belongs to: `index` counts from 1, `total` is what runs for this run's `runtime`. */
  task?: PlaybookTask;
  /** This line says why the run failed: see `explainFailure`. */
  failed?: true;
  /** Set on the last line of a run that was ended from outside; `lost`: its process is gone and left no result. */
  ended?: "timed-out" | "cancelled" | "lost";
};

export type PlaybookTask = { index: number; total: number; name: string };

/** `lost`: the run's process is gone and left no result. */
export type PlaybookState = "running" | "succeeded" | "failed" | "cancelled" | "lost";

export type PlaybookReading = { state: PlaybookState; events: PlaybookEvent[]; cursor: number };

/** Runs playbooks elsewhere: in a process of their own, or on another machine. */
export type PlaybookRunner = {
  /** Starts the run unless its key has begun or was cancelled before. Safe to call twice, also from two processes at once. */
  ensureRun(run: PlaybookRun): Promise<void>;
  /**
   * What happened after `cursor` (0 at first), complete and in order. A state other than `running` comes
   * together with the last events. Every one of `secrets` is shown as ••••••.
   */
  readRun(key: string, cursor: number, secrets: readonly string[]): Promise<PlaybookReading>;
  /**
   * Calls `tell` once, when the run has more to read after `cursor`: soon for a line, at once for its end, within a
   * second when its process is gone. False when it cannot say; then only reading tells. A driver without it is read at intervals.
   */
  onNews?(key: string, cursor: number, tell: () => void): boolean;
  /** Does before the first run what would otherwise take its time. */
  warmUp?(runtime: "local" | "server"): Promise<void>;
  /**
   * Stops the run and resolves when nothing of it runs any more. One that has not begun never will: its key may be
   * unknown, and somebody about to start it.
   */
  cancelRun(key: string): Promise<void>;
  /** Whether runs can be started here, as a sentence for the settings page. */
  check(): Promise<{ ok: boolean; userMessage: string }>;
  /** Removes all that is kept of a run, after stopping it; only that its key must not run again is remembered. */
  forgetRun(key: string): Promise<void>;
  /**
   * Forgets the runs that nobody needs any more, and removes what interrupted processes left. To be called now and
   * then; a driver that keeps nothing here does without.
   */
  tidy?(isNeeded: (key: string) => boolean): Promise<void>;
};
