import { z } from "zod";
import type { FactsOf, Instance, Known, StepContext } from "#server/operations/engine/define.ts";

const record = z.object({ id: z.number(), domain: z.string(), name: z.string(), address: z.string() });
export const redirectFact = z.object({ slug: z.string(), domain: z.string(), expiresAt: z.number() });
const askedRecord = record.omit({ id: true }).extend({ at: z.number(), endsBy: z.number().optional() });

/** What the steps that deal with a droplet and its names learn and leave for each other. Moments are monotonic. */
export const machineFacts = {
  /** When a droplet was asked for, and when the call came back without a clear answer, or must have ended. */
  createAskedAt: z.number(),
  createEndedAt: z.number(),
  /** Until when a droplet may still show up that an earlier operation has asked for. */
  lateUntil: z.number(),
  /** The team that the droplet is bought with. */
  accountId: z.string(),
  dropletId: z.number(),
  address: z.string(),
  hostKey: z.string(),
  /** The intranet may work with another address, other variables or another version than its row says. */
  mayDifferFromRow: z.boolean(),
  /** The installed version may differ from its row's, or be incomplete. */
  softwareMayDiffer: z.boolean(),
  /** Its data was being replaced when that failed, so it may be incomplete. */
  dataMayBeHalf: z.boolean(),
  /** The droplet is the operation's own and will be thrown away: the instance's row does not know it. */
  throwaway: z.boolean(),
  /** The snapshot the droplet is made from. */
  imageId: z.number(),
  /** In which round of the operation its droplet has been seen alive, or was requested anew. */
  seenInRound: z.number(),
  /** The droplet that may go: what is on it has been kept, or it never came to life. */
  keptDropletId: z.number(),
  /** When a droplet's id became known, by its id: it may take a moment until anything shows it. */
  boughtAt: z.record(z.string(), z.number()),
  /** When a droplet was first missed, by its id. */
  missedAt: z.record(z.string(), z.number()),
  /** In which round a droplet's end was asked for, by its id. */
  endAskedIn: z.record(z.string(), z.number()),
  /** Addresses that redirected to the instance when it was destroyed, for Bring back. */
  redirects: z.array(redirectFact),
  /** The A records made for the instance, and those asked for without a clear answer so far. */
  records: z.array(record),
  recordsAsked: z.array(askedRecord),
};
export type MachineFacts = FactsOf<typeof machineFacts>;
export type OwnRecord = z.infer<typeof record>;

export type Machine = {
  dropletId: number | undefined;
  address: string | undefined;
  hostKey: string | undefined;
};

/** The droplet an operation works on: the instance's, or a throwaway of its own. */
export function machineOf({
  instance,
  facts,
}: Pick<StepContext<MachineFacts>, "instance" | "facts">): Machine {
  if (facts.throwaway === true)
    return { dropletId: facts.dropletId, address: facts.address, hostKey: facts.hostKey };
  return {
    dropletId: instance.dropletId ?? undefined,
    address: instance.ipAddress ?? undefined,
    hostKey: instance.hostKey ?? undefined,
  };
}

/** How a change of the operation's machine is written down. */
export function machineIs(
  facts: Known<MachineFacts>,
  machine: Machine,
): { facts: Known<MachineFacts>; instance?: Partial<Instance> } {
  if (facts.throwaway === true) return { facts: machine };
  const { dropletId, address, hostKey } = machine;
  return {
    facts: machine,
    instance: {
      dropletId: dropletId ?? null,
      ipAddress: address ?? null,
      hostKey: hostKey ?? null,
      dropletMissingSince: null,
      dropletGoneAt: null,
    },
  };
}

/** No machine any more, or none yet. */
export const noMachine: Machine = { dropletId: undefined, address: undefined, hostKey: undefined };
