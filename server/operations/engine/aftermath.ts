import type { MachineFacts } from "#server/operations/steps/machineFacts.ts";
import type { Aftermath, AnyDefinition, UserMessage } from "./define.ts";
import type { OperationRow, StepRow } from "./plan.ts";

/** What is true of an operation that was cancelled or has failed, and what of it costs money; null for any other. */
export function aftermathOf(
  definition: AnyDefinition,
  { state, facts }: Pick<OperationRow, "state" | "facts">,
  instance: Aftermath<unknown>["instance"],
  steps: readonly Pick<StepRow, "undo" | "state">[],
): string | null {
  if (state !== "cancelled" && state !== "failed") return null;
  const userMessage = definition.userMessages[state];
  if (typeof userMessage === "string") return userMessage;
  const isStuck = steps.some((step) => step.undo && step.state === "failed");
  return userMessage({ facts: definition.facts.parse(facts), instance, isStuck });
}

/** A droplet that is known, and not known to be gone. */
export const hasDroplet = ({ dropletId, dropletGoneAt }: Aftermath<unknown>["instance"]): boolean =>
  dropletId !== null && dropletGoneAt === null;

/** The instance's droplet and snapshot, and what they cost. */
export function whatIsThere(aftermath: Aftermath<MachineFacts>): string {
  const droplet = dropletThere(aftermath);
  return aftermath.instance.snapshotId === null
    ? droplet
    : `${droplet} Its snapshot is kept, and costs money.`;
}

function dropletThere({ facts, instance }: Aftermath<MachineFacts>): string {
  const price = `$${(instance.priceMonthlyCents / 100).toFixed(2)} a month`;
  if (hasDroplet(instance))
    return `As far as we know, the instance's droplet exists and costs ${price} until it's destroyed.`;
  if (instance.dropletId !== null) return "The instance's droplet is gone at DigitalOcean.";
  // Destroy has looked for it since.
  if (facts.createAskedAt === undefined || instance.status === "destroyed")
    return "The instance has no droplet.";
  return `A droplet was requested. It may exist and cost ${price}. Retry, Cancel and Destroy all look for it.`;
}

/** Of what puts itself back when it fails: this, unless that has failed as well. */
export const unlessStuck =
  (userMessage: string): UserMessage<unknown> =>
  ({ isStuck }) =>
    isStuck ? "Rolling back failed too, so the intranet may be down." : userMessage;
