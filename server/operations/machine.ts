import { z } from "zod";
import type { Instance, Known, StepContext } from "./definition.ts";

/** What the steps that deal with a droplet learn and leave for each other. */
export const machineFacts = {
  createAskedAt: z.number(),
  dropletId: z.number(),
  address: z.string(),
  hostKey: z.string(),
  /** The droplet is the operation's own and will be thrown away: the instance's row does not know it. */
  throwaway: z.boolean(),
  /** The snapshot the droplet is made from. */
  imageId: z.number(),
};
export type MachineFacts = {
  createAskedAt: number;
  dropletId: number;
  address: string;
  hostKey: string;
  throwaway: boolean;
  imageId: number;
};

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
    address: instance.address ?? undefined,
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
    instance: { dropletId: dropletId ?? null, address: address ?? null, hostKey: hostKey ?? null },
  };
}
