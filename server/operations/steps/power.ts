import { z } from "zod";
import {
  done,
  type FactsOf,
  later,
  type Outcome,
  poll,
  type Step,
  type StepContext,
  skipped,
} from "#server/operations/engine/define.ts";
import type { Droplet, DropletAction } from "#server/providers/digitalocean/digitalocean.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { findOwnDroplet } from "./dropletPresence.ts";
import { machineFacts } from "./machineFacts.ts";

/** What was asked of DigitalOcean, by step, round and type: the intent before the call, the id after it. */
const actions = z.record(
  z.string(),
  z.object({ askedAt: z.number(), id: z.number().optional(), isOver: z.boolean().optional() }),
);
export const actionFacts = { ...machineFacts, actions };
export type ActionFacts = FactsOf<typeof actionFacts>;
type Context = StepContext<ActionFacts>;

/** An action whose answer was lost is asked for again after this long: by then it would show. */
const unclearMs = 60_000;
/** How long a droplet may take to shut down in good order before its power is cut. */
const shutdownMs = 60_000;

/** What has been asked for of this type, in whatever round. */
export const actionsOf = (
  { actions: asked = {} }: Pick<StepContext<ActionFacts>["facts"], "actions">,
  type: DropletAction["type"],
): { askedAt: number; id?: number | undefined }[] =>
  Object.entries(asked).flatMap(([key, entry]) => (key.endsWith(` ${type}`) ? [entry] : []));

const keyOf = ({ step, operation }: Context, type: DropletAction["type"]) =>
  `${step} ${operation.round} ${type}`;

/** The action of this type that this step requested in this round. */
export const askedFor = (context: Context, type: DropletAction["type"]) =>
  context.facts.actions?.[keyOf(context, type)];

/** Whether the action that this step requested in this round is in progress; false if that isn't known. */
export async function isUnderWay(context: Context, type: DropletAction["type"]): Promise<boolean> {
  const id = askedFor(context, type)?.id;
  return id !== undefined && (await context.providers.digitalocean.getAction(id)).status === "in-progress";
}

/** Asks for an action once and says how it stands. An errored one is asked for again by the next attempt. */
export async function ensureAction(
  context: Context,
  droplet: Droplet,
  action: DropletAction,
): Promise<{ status: "in-progress" | "completed"; askedAt: number }> {
  const { facts, providers, monotonic } = context;
  const key = keyOf(context, action.type);
  const known = askedFor(context, action.type);
  const remember = (entry: { askedAt: number; id?: number } | undefined) => {
    const { [key]: _gone, ...others } = facts.actions ?? {};
    context.remember({ actions: entry === undefined ? others : { ...others, [key]: entry } });
  };
  if (known?.id !== undefined) {
    const { status } = await providers.digitalocean.getAction(known.id);
    if (status !== "errored") return { status, askedAt: known.askedAt };
    remember(undefined);
    throw new ProviderError({
      userMessage: "DigitalOcean couldn't carry out the action.",
      detail: `action ${known.id} (${action.type}) errored`,
      retryable: true,
    });
  }
  if (known !== undefined && monotonic() - known.askedAt < unclearMs)
    return { status: "in-progress", askedAt: known.askedAt };
  const askedAt = monotonic();
  remember({ askedAt });
  try {
    const { id } = await providers.digitalocean.dropletAction(droplet.id, action);
    remember({ askedAt, id });
  } catch (error) {
    if (error instanceof ProviderError && error.unclear) return { status: "in-progress", askedAt };
    remember(undefined);
    // One action at a time: what is under way comes to its end first.
    if (error instanceof ProviderError && error.code === "busy") return { status: "in-progress", askedAt };
    throw error;
  }
  return { status: "in-progress", askedAt };
}

/**
 * Whether DigitalOcean still works on what an earlier step asked for (a cancelled one, say): what the droplet shows is
 * then about to change, and nothing may be concluded from it.
 */
async function isUnsettled(context: Context): Promise<boolean> {
  const { facts, operation, providers, monotonic } = context;
  const own = `${context.step} ${operation.round} `;
  for (const [key, entry] of Object.entries(facts.actions ?? {})) {
    if (key.startsWith(own) || entry.isOver === true) continue;
    const { id, askedAt } = entry;
    if (id === undefined && monotonic() - askedAt < unclearMs) return true;
    if (id !== undefined && (await providers.digitalocean.getAction(id)).status === "in-progress")
      return true;
    context.remember({ actions: { ...facts.actions, [key]: { ...entry, isOver: true } } });
  }
  return false;
}

/** Switches the droplet off in good order, by force if it does not come down. True once it is off. */
export async function isSwitchedOff(context: Context, droplet: Droplet): Promise<boolean> {
  if (droplet.status === "off") return true;
  const shutdown = await ensureAction(context, droplet, { type: "shutdown" });
  if (context.monotonic() - shutdown.askedAt > shutdownMs)
    await ensureAction(context, droplet, { type: "power_off" });
  return false;
}

const giveUp = (label: string) => ({
  afterMs: 30 * 60_000,
  userMessage: `“${label}” didn't finish within 30 minutes.`,
});
type When<Facts> = { when?: (context: StepContext<Facts>) => boolean };

/** A step that works on the operation's droplet; one that is gone is noted and fails. */
function powerStep<Facts extends ActionFacts>(
  name: string,
  label: string,
  { when }: When<Facts>,
  run: (context: StepContext<Facts>, droplet: Droplet) => Promise<Outcome<Facts>>,
): Step<Facts> {
  return poll<Facts>(name, label, { everyMs: 1000, giveUp: giveUp(label) }, async (context) => {
    if (when?.(context) === false) return skipped();
    if (await isUnsettled(context))
      return later({ progress: { label: "DigitalOcean is still busy with this droplet" } });
    const found = await findOwnDroplet(context);
    return "droplet" in found ? run(context, found.droplet) : found.outcome;
  });
}

export const switchOff = <Facts extends ActionFacts>(name: string, label: string, when: When<Facts> = {}) =>
  powerStep<Facts>(name, label, when, async (context, droplet) =>
    (await isSwitchedOff(context, droplet)) ? done() : later(),
  );

export const switchOn = <Facts extends ActionFacts>(name: string, label: string, when: When<Facts> = {}) =>
  powerStep<Facts>(name, label, when, async (context, droplet) => {
    if (droplet.status === "active") return done();
    await ensureAction(context, droplet, { type: "power_on" });
    return later();
  });

export const reboot = <Facts extends ActionFacts>(name: string, label: string) =>
  powerStep<Facts>(name, label, {}, async (context, droplet) => {
    const { status } = await ensureAction(context, droplet, { type: "reboot" });
    return status === "completed" ? done() : later();
  });

/** Changes memory and CPUs; the disk stays as it is, so that the way back stays open. */
export const changeSize = <Facts extends ActionFacts>(
  name: string,
  label: string,
  options: When<Facts> & { size: (context: StepContext<Facts>) => string },
) =>
  powerStep<Facts>(name, label, options, async (context, droplet) => {
    const size = options.size(context);
    if (droplet.sizeSlug === size) return done();
    // An earlier wish may have switched it on since.
    if (!(await isSwitchedOff(context, droplet))) return later();
    await ensureAction(context, droplet, { type: "resize", disk: false, size });
    return later();
  });
