import { eq } from "drizzle-orm";
import { aliases } from "#db/schema.ts";
import {
  done,
  type Known,
  later,
  type Outcome,
  poll,
  type Step,
  type StepContext,
  step,
  stepTimeoutMs,
  type Together,
} from "#server/operations/engine/define.ts";
import { startOver } from "#server/operations/engine/startOver.ts";
import { type Droplet, ourTag } from "#server/providers/digitalocean/digitalocean.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { findDroplet, sameAccount, secondLookMs, visibilityWindowMs } from "./dropletPresence.ts";
import { type MachineFacts, machineIs, machineOf, noMachine } from "./machineFacts.ts";

type Context = StepContext<MachineFacts>;

/** A request is given up after this long. */
const requestMs = 20_000;

/**
 * How long after its intent something may still show up of a call that nobody saw the end of, because its process died
 * or hangs. It could be sent until the step's time was up, whose signal stops what still waits for its turn; it may have
 * taken as long as a request may; and then the window opens in which lists lag.
 */
const lateMs = stepTimeoutMs + requestMs + visibilityWindowMs;

/**
 * Of a call that nobody saw the end of, and whose step has been claimed anew since: nothing of it is sent any more
 * (see guard.ts), so that it ends within a request's time from now.
 */
export const endOfOvertaken = ({ monotonic }: Pick<Context, "monotonic">): number => monotonic() + requestMs;

function noteOvertaken(context: Context): void {
  const { createAskedAt, createEndedAt } = context.facts;
  if (createAskedAt !== undefined && createEndedAt === undefined)
    context.remember({ createEndedAt: endOfOvertaken(context) });
}

/**
 * Until when a droplet that was asked for without a clear answer may still show up; undefined when none was. Of a call
 * whose end is known the window opens with that.
 */
export function createWindowEnd({ createAskedAt, createEndedAt }: Known<MachineFacts>): number | undefined {
  if (createAskedAt === undefined) return undefined;
  return createEndedAt === undefined ? createAskedAt + lateMs : createEndedAt + visibilityWindowMs;
}

/** The one handle by which a droplet is found again after an unclear create. */
export const operationTag = (operationId: string) => `spawner-op-${operationId}`;
/** The operation that bought the droplet with these tags; undefined when it was none of a Spawner's. */
export const operationIdOf = (tags: readonly string[]): string | undefined =>
  tags.find((tag) => tag.startsWith(operationTag("")))?.slice(operationTag("").length);
export const instanceTag = (instanceId: string) => `spawner-instance-${instanceId}`;
/** Of a throwaway: it belongs to the operation, not to the instance. */
export const restoreTestTag = (instanceId: string) => `spawner-proof-${instanceId}`;

const ownTag = ({ facts, instance }: Pick<Context, "facts" | "instance">) =>
  facts.throwaway === true ? restoreTestTag(instance.id) : instanceTag(instance.id);

/** Asks for the operation's one droplet: finds it by its tag before it buys. A retry looks whether it is still there. */
export const requestDroplet = (name: string, label: string): Step<MachineFacts> =>
  step(name, label, async (context): Promise<Outcome<MachineFacts>> => {
    const { facts } = context;
    if (facts.dropletId !== undefined) {
      const seen = await isThere(context, facts.dropletId);
      if (seen === "there") return done({ facts: { seenInRound: context.operation.round } });
      if (seen === "unclear") return lookAgain;
      // Its names are kept, and lead to the next one.
      return later({ afterMs: 0, ...lost(context) });
    }
    noteOvertaken(context);
    const accountId = await sameAccount(context);
    const windowEnd = createWindowEnd(context.facts);
    if (windowEnd !== undefined) {
      // A look that began before the window closed says nothing of its last moment.
      const lookedAt = context.monotonic();
      const found = await findBought(context);
      if (found !== undefined) return done(bought(context, found.id, accountId));
      if (lookedAt < windowEnd)
        return later({ afterMs: 2000, progress: { label: "Checking whether the droplet was created" } });
    }
    return buy(context, accountId);
  });

async function buy(context: Context, accountId: string): Promise<Outcome<MachineFacts>> {
  const { facts, instance, operation, providers, site, monotonic } = context;
  const key = await providers.digitalocean.ensureSshKey(site.keyName, site.publicKey, context.signal);
  const host = `${instance.slug}.${instance.domain}`;
  // The intent is on disk before the call, so that whoever comes after a crash looks before it buys.
  context.remember({ createAskedAt: monotonic(), createEndedAt: undefined, accountId });
  try {
    const droplet = await providers.digitalocean.createDroplet({
      name: facts.throwaway === true ? `proof-of-${host}` : host,
      region: instance.region,
      size: instance.size,
      image: facts.imageId ?? "debian-13-x64",
      sshKeyId: key.id,
      tags: [ourTag, ownTag(context), operationTag(operation.id)],
    });
    return done(bought(context, droplet.id, accountId));
  } catch (error) {
    if (error instanceof ProviderError && !error.unclear) {
      // A clear refusal bought nothing: the next attempt may ask at once.
      context.remember({ createAskedAt: undefined });
      throw error;
    }
    context.remember({ createEndedAt: monotonic() });
    if (!(error instanceof ProviderError)) throw error;
    return later({
      afterMs: 2000,
      progress: { label: "DigitalOcean's answer was lost. Checking whether the droplet was created" },
    });
  }
}

/** What the operation has bought, by its tag. One that lingers in the list after its end is none. */
async function findBought({ operation, providers }: Context): Promise<Droplet | undefined> {
  for (const { id } of await providers.digitalocean.dropletsByTag(operationTag(operation.id))) {
    const droplet = await providers.digitalocean.getDroplet(id);
    if (droplet !== undefined) return droplet;
  }
  return undefined;
}

function bought({ facts, operation, monotonic }: Context, dropletId: number, accountId: string) {
  const machine = machineIs(facts, { ...noMachine, dropletId });
  const clear = { createAskedAt: undefined, createEndedAt: undefined };
  return {
    facts: {
      ...{ ...machine.facts, ...clear, accountId, seenInRound: operation.round },
      boughtAt: { ...facts.boughtAt, [dropletId]: monotonic() },
    },
    ...(machine.instance === undefined ? {} : { instance: { ...machine.instance, accountId } }),
  };
}

/** The droplet is gone, and another one is to be requested. */
function lost({ facts, operation, now }: Context) {
  const machine = machineIs(facts, noMachine);
  return {
    ...machine,
    facts: { ...machine.facts, missedAt: undefined, seenInRound: operation.round },
    log: [{ at: now(), text: "The droplet is gone at DigitalOcean. Requesting another one." }],
  };
}

const lookAgain = later<MachineFacts>({
  afterMs: secondLookMs,
  progress: { label: "Checking whether the droplet is still there" },
});

/** Looks once a round: a first try goes on with what it has just made. */
async function isThere(context: Context, dropletId: number): Promise<"there" | "unclear" | "gone"> {
  const { facts, operation } = context;
  if (operation.round === 0 || facts.seenInRound === operation.round) return "there";
  const seen = await findDroplet(context, dropletId);
  if (seen === "unclear" || seen === "gone") return seen;
  context.remember({ seenInRound: operation.round });
  return "there";
}

/**
 * Has a retry look first: when the droplet is gone meanwhile, the operation requests another one and goes through all
 * its steps again. The first of them must be the one that requests it.
 */
export function replacingLostDroplet<Facts extends MachineFacts>(
  first: Step<Facts>,
  ...others: (Step<Facts> | Together<Facts>)[]
): (Step<Facts> | Together<Facts>)[] {
  const looking = (planned: Step<Facts>): Step<Facts> => ({
    ...planned,
    run: async (context) => {
      const instead = await lookFirst(context, planned.name, first.name);
      // Facts has all of MachineFacts, so that what is learned of them is known to it.
      return instead === undefined ? planned.run(context) : (instead as unknown as Outcome<Facts>);
    },
  });
  return [
    first,
    ...others.map((entry) =>
      "branches" in entry
        ? { branches: entry.branches.map((branch) => branch.map(looking)) }
        : looking(entry),
    ),
  ];
}

/** Undefined when the droplet is there, or there never was one. */
async function lookFirst(
  context: Context,
  current: string,
  from: string,
): Promise<Outcome<MachineFacts> | undefined> {
  const { dropletId } = machineOf(context);
  const seen = dropletId === undefined ? "there" : await isThere(context, dropletId);
  if (seen === "there") return undefined;
  if (seen === "unclear") return lookAgain;
  const where = { operationId: context.operation.id, from, current, dueAt: context.monotonic() };
  return later({ afterMs: 0, ...lost(context), rows: (tx) => startOver(tx, where) });
}

const readyWithinMs = 10 * 60_000;

/** Waits for status, address and the first SSH contact, whose host key is pinned. */
export const dropletReady = (name: string): Step<MachineFacts> =>
  poll(
    name,
    "Wait for the droplet",
    {
      everyMs: 1000,
      giveUp: {
        afterMs: readyWithinMs,
        userMessage: "The droplet was requested, but didn't become ready within 10 minutes.",
      },
    },
    async (context): Promise<Outcome<MachineFacts>> => {
      const { facts, providers, site, elapsed, usuallyAtLeastMs } = context;
      const machine = machineOf(context);
      if (machine.address !== undefined && machine.hostKey !== undefined) return done();
      if (usuallyAtLeastMs !== undefined && elapsed() < usuallyAtLeastMs * 0.8)
        return later({ afterMs: usuallyAtLeastMs * 0.95 - elapsed() });
      const listed = await providers.digitalocean.listDroplets();
      const droplet = listed.find((one) => one.id === machine.dropletId);
      if (droplet === undefined) return later({ progress: { label: "Requested" } });
      // Where it usually comes up the first answer is near; a knock at its door asks nothing of DigitalOcean.
      const nearMs = elapsed() < (usuallyAtLeastMs ?? 0) * 1.5 ? 100 : 300;
      if (droplet.status !== "active" || droplet.address === undefined)
        return later({
          progress: { label: droplet.status === "active" ? "Waiting for its address" : "Starting up" },
        });
      const hostKey = await providers.scanHostKey({ address: droplet.address, port: site.sshPort });
      if (hostKey === undefined)
        return later({ afterMs: nearMs, progress: { label: "Waiting for its first answer" } });
      return done(machineIs(facts, { dropletId: droplet.id, address: droplet.address, hostKey }));
    },
  );

/** How long a droplet's end may take before Joe is told. */
const endWithinMs = 30 * 60_000;
export const destroyGiveUp = {
  afterMs: endWithinMs,
  userMessage: "DigitalOcean didn't delete the droplet within 30 minutes. Retry asks again.",
};

/** The longer it takes, the rarer it is looked at. */
export const nextLook = ({ elapsed }: Pick<Context, "elapsed">) => ({
  afterMs: Math.min(60_000, Math.max(1000, elapsed() / 4)),
  progress: { label: "Waiting for DigitalOcean to delete it" },
});

/** Asks for a droplet's end, once a round, and looks whether it has come. `mayEnd`: whether this living one may go. */
export async function ensureDestroyed(
  context: Context,
  dropletId: number,
  mayEnd: (droplet: Droplet) => boolean = () => true,
): Promise<"gone" | "going" | "kept"> {
  const { facts, operation, providers } = context;
  const seen = await findDroplet(context, dropletId);
  if (seen === "gone") return "gone";
  const { endAskedIn } = facts;
  if (seen === "unclear" || endAskedIn?.[dropletId] === operation.round) return "going";
  if (!mayEnd(seen)) return "kept";
  if (await providers.digitalocean.destroyDroplet(dropletId))
    context.remember({ endAskedIn: { ...endAskedIn, [dropletId]: operation.round } });
  return "going";
}

/**
 * Destroys the operation's droplet and every other one with its tag, and waits until they are gone; looks for what an
 * unclear create may have left, of an earlier operation as well. `after` names the step that keeps what is on the
 * instance's droplet: one that is alive and has not been kept goes back there.
 */
export const destroyDroplet = (
  name: string,
  label: string,
  { after, final = false }: { final?: boolean; after?: string } = {},
): Step<MachineFacts> => ({
  ...poll<MachineFacts>(
    name,
    label,
    { everyMs: 1000, giveUp: destroyGiveUp },
    async (context): Promise<Outcome<MachineFacts>> => {
      noteOvertaken(context);
      const { facts, instance, operation, providers, monotonic, now } = context;
      const known = machineOf(context).dropletId ?? facts.dropletId;
      const lookedAt = monotonic();
      const tagged = await providers.digitalocean.dropletsByTag(ownTag(context));
      // One more than the row knows must not be left behind, and is followed to its end once it was seen.
      const all = new Set([
        ...(known === undefined ? [] : [known]),
        ...tagged.map(({ id }) => id),
        ...Object.keys(facts.endAskedIn ?? {}).map(Number),
      ]);
      // That there is none at all means something only for the team that may have bought one.
      if (all.size === 0) await sameAccount(context);
      // The one that was asked for without a clear answer has shown up: nothing else has to be waited for.
      if (tagged.some(({ id, tags }) => id !== known && tags.includes(operationTag(operation.id))))
        context.remember({ createAskedAt: undefined, createEndedAt: undefined });
      const ends = new Set<string>();
      for (const id of all) {
        // Still listed after its deletion was requested: asking for it by id wouldn't tell more.
        if (facts.endAskedIn?.[id] === operation.round && tagged.some((one) => one.id === id)) {
          ends.add("going");
          continue;
        }
        const isKept = () => after === undefined || id !== known || facts.keptDropletId === id;
        ends.add(await ensureDestroyed(context, id, isKept));
      }
      if (after !== undefined && ends.has("kept")) {
        const where = { operationId: operation.id, from: after, current: name, dueAt: monotonic() };
        return later({
          instance: { dropletMissingSince: null, dropletGoneAt: null },
          log: [{ at: now(), text: "The droplet still exists. Its snapshot comes first." }],
          rows: (tx) => startOver(tx, where),
        });
      }
      if (ends.has("going")) return later(nextLook(context));
      if (lookedAt < Math.max(createWindowEnd(facts) ?? 0, facts.lateUntil ?? 0))
        return later({ afterMs: 5000, progress: { label: "Checking that no droplet was created" } });
      const gone = machineIs(facts, noMachine);
      const clear = { createAskedAt: undefined, createEndedAt: undefined, lateUntil: undefined };
      return done({
        ...gone,
        facts: {
          ...{ ...gone.facts, ...clear, missedAt: undefined, endAskedIn: undefined },
          redirects: context.aliases.flatMap(({ role, slug, domain, expiresAt }) =>
            role === "redirect" && expiresAt !== null ? [{ slug, domain, expiresAt }] : [],
          ),
        },
        // Its names led to nothing but the droplet.
        ...(facts.throwaway === true
          ? {}
          : { rows: (tx) => tx.delete(aliases).where(eq(aliases.instanceId, instance.id)).run() }),
      });
    },
  ),
  final,
});
