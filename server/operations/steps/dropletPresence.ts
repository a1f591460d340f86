import { later, type Outcome, type StepContext, StepFailure } from "#server/operations/engine/define.ts";
import type { Droplet } from "#server/providers/digitalocean/digitalocean.ts";
import { type MachineFacts, machineOf } from "./machineFacts.ts";

type Context = StepContext<MachineFacts>;

/** Between the two looks that have to miss a droplet before it is called gone. */
export const secondLookMs = 3000;

/** DigitalOcean's lists lag behind its creates: until then a droplet that is not listed may still exist. */
export const visibilityWindowMs = 60_000;

/** A token always belongs to the same team, and changing it needs a restart, so callers can share an answer. */
const sameTokenMs = 60_000;

/** The team of the token in use. Fails when the operation's droplet was bought with another one's. */
export async function sameAccount({ facts, instance, providers }: Context): Promise<string> {
  const { id } = await providers.digitalocean.account(sameTokenMs);
  const bought = facts.accountId ?? (facts.throwaway === true ? undefined : instance.accountId) ?? id;
  if (bought === id) return id;
  throw new StepFailure(
    "The token belongs to a different DigitalOcean team than this droplet. Set DIGITALOCEAN_TOKEN to that team's token, restart the Spawner, then retry. Nothing was changed.",
    `bought with ${bought}, the token is ${id}'s`,
  );
}

/**
 * The one careful look at whether a droplet is there. One 404 says little: "gone" is said only when the droplet itself
 * and the complete list both miss it, twice, some seconds apart, the token is of the team that bought it, and it was not bought just now.
 * Until then it is "unclear": look again after {@link secondLookMs}.
 */
export async function findDroplet(
  context: Context,
  dropletId: number,
): Promise<Droplet | "unclear" | "gone"> {
  const { facts, providers, monotonic } = context;
  const { [dropletId]: missedAt, ...others } = facts.missedAt ?? {};
  const missed = (at: number | undefined) =>
    context.remember({ missedAt: at === undefined ? others : { ...others, [dropletId]: at } });
  // A look that began while nothing has to show it says nothing, unless it was shown before.
  const machine = machineOf(context);
  const wasShown =
    (machine.dropletId === dropletId && machine.address !== undefined) ||
    facts.endAskedIn?.[dropletId] !== undefined;
  const isNew =
    !wasShown && monotonic() < (facts.boughtAt?.[dropletId] ?? Number.NEGATIVE_INFINITY) + visibilityWindowMs;
  const droplet = await providers.digitalocean.getDroplet(dropletId);
  if (droplet !== undefined) {
    if (missedAt !== undefined) missed(undefined);
    return droplet;
  }
  await sameAccount(context);
  const listed = await providers.digitalocean.listAllDroplets();
  if (listed.some((one) => one.id === dropletId)) {
    if (missedAt !== undefined) missed(undefined);
    return "unclear";
  }
  if (isNew) return "unclear";
  if (missedAt === undefined) missed(monotonic());
  else if (monotonic() - missedAt >= secondLookMs) return "gone";
  return "unclear";
}

/**
 * The operation's droplet, for a step that needs one. While it's unclear whether the droplet exists, `outcome` is what the
 * step should return. If it's gone, that is recorded and the step fails.
 */
export async function findOwnDroplet<Facts extends MachineFacts>(
  context: StepContext<Facts>,
): Promise<{ droplet: Droplet } | { outcome: Outcome<Facts> }> {
  const { instance, now } = context;
  const { dropletId } = machineOf(context);
  const found = dropletId === undefined ? "gone" : await findDroplet(context, dropletId);
  if (found === "unclear")
    return {
      outcome: later({
        afterMs: secondLookMs,
        progress: { label: "Checking whether the droplet is still there" },
      }),
    };
  if (found !== "gone") return { droplet: found };
  if (dropletId !== undefined && instance.dropletGoneAt === null)
    return { outcome: later({ afterMs: 0, instance: { dropletGoneAt: now() } }) };
  throw new StepFailure(
    "The droplet is gone: someone deleted it at DigitalOcean. Destroy the instance, then bring it back from its newest backup.",
    `droplet ${dropletId ?? "unknown"} was not found`,
  );
}
