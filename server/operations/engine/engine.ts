import type { Db } from "#db/client.ts";
import type { OperationKind } from "#db/schema.ts";
import type { Clock } from "#server/clock.ts";
import type { AnyDefinition, Instance, Providers, Site, SlotName, Variable } from "./define.ts";
import type { Worker } from "./lease.ts";

/** What the engine works with. Tests make their own: another clock, other providers, other operations. */
export type Engine = Clock & {
  db: Db;
  registry: Readonly<Record<OperationKind, AnyDefinition>>;
  providers: Providers;
  site: Site;
  /** 0 ≤ random() < 1, for jitter. */
  random: () => number;
  /** Who claims. */
  worker: Worker;
  /** How long snapshots and backups of a destroyed instance are kept, ms. */
  keepDestroyedMs: number;
  /** How long after an operation is done its log is packed, ms. */
  keepLogsMs: number;
  /** How many steps may hold a slot of each kind at once, whatever worker runs them. */
  slots: Readonly<Record<SlotName, number>>;
  /** The variables of one of the instance's sets. */
  openVariables: (instance: Instance, set: number) => Variable[];
  /** The instance's public address. */
  urlOf: (instance: { slug: string; domain: string }) => string;
  /** Tells the queue that wake_ups holds something new for this operation; never throws. */
  wake: (operationId: string) => void;
};
