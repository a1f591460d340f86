import { eq } from "drizzle-orm";
import { aliases } from "../../db/schema.ts";
import { ourTag } from "../providers/digitalocean/digitalocean.ts";
import { ProviderError } from "../providers/errors.ts";
import { done, later, type Outcome, poll, type Step, type StepContext, step } from "./definition.ts";
import { type MachineFacts, machineIs, machineOf } from "./machine.ts";

type Context = StepContext<MachineFacts>;

/** DigitalOcean's lists lag behind its creates: until then a droplet that is not listed may still exist. */
export const visibilityWindowMs = 60_000;

/** The one handle by which a droplet is found again after an unclear create. */
export const operationTag = (operationId: string) => `spawner-op-${operationId}`;
/** The operation that bought the droplet with these tags; undefined when it was none of a Spawner's. */
export const operationIdOf = (tags: readonly string[]): string | undefined =>
  tags.find((tag) => tag.startsWith(operationTag("")))?.slice(operationTag("").length);
export const instanceTag = (instanceId: string) => `spawner-instance-${instanceId}`;
/** Of a throwaway: it belongs to the operation, not to the instance. */
export const proofTag = (instanceId: string) => `spawner-proof-${instanceId}`;

const ownTag = ({ facts, instance }: Pick<Context, "facts" | "instance">) =>
  facts.throwaway === true ? proofTag(instance.id) : instanceTag(instance.id);

/** Asks for the operation's one droplet: finds it by its tag before it buys. */
export const requestDroplet = (name: string, label: string): Step<MachineFacts> =>
  step(name, label, async (context): Promise<Outcome<MachineFacts>> => {
    const { facts, instance, operation, providers, site, monotonic } = context;
    const tag = operationTag(operation.id);
    if (facts.dropletId !== undefined) return done();
    if (facts.createAskedAt !== undefined) {
      const found = await providers.digitalocean.findDropletByTag(tag, { maxAgeMs: 0 });
      if (found !== undefined) return done(learned(context, found.id));
      if (monotonic() - facts.createAskedAt < visibilityWindowMs)
        return later({ afterMs: 2000, progress: { label: "Looking whether the droplet was made" } });
    }
    const key = await providers.digitalocean.ensureSshKey(site.keyName, site.publicKey, context.signal);
    // The intent is on disk before the call, so that whoever comes after a crash looks before it buys.
    context.remember({ createAskedAt: monotonic() });
    try {
      const host = `${instance.slug}.${instance.domain}`;
      const droplet = await providers.digitalocean.createDroplet({
        name: facts.throwaway === true ? `proof-of-${host}` : host,
        region: instance.region,
        size: instance.size,
        image: facts.imageId ?? "debian-13-x64",
        sshKeyId: key.id,
        tags: [ourTag, ownTag(context), tag],
      });
      return done(learned(context, droplet.id));
    } catch (error) {
      if (error instanceof ProviderError && error.unclear)
        return later({
          afterMs: 2000,
          progress: { label: "DigitalOcean's answer was lost: looking whether the droplet was made" },
        });
      // A clear refusal bought nothing: the next attempt may ask at once.
      context.remember({ createAskedAt: undefined });
      throw error;
    }
  });

const learned = ({ facts }: Context, dropletId: number) =>
  machineIs(facts, { dropletId, address: undefined, hostKey: undefined });

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
        sentence: "The droplet was requested, but did not become ready within 10 minutes.",
      },
    },
    async (context): Promise<Outcome<MachineFacts>> => {
      const { facts, operation, providers, site, elapsed, usuallyAtLeastMs } = context;
      const machine = machineOf(context);
      if (machine.address !== undefined && machine.hostKey !== undefined) return done();
      if (usuallyAtLeastMs !== undefined && elapsed() < usuallyAtLeastMs * 0.8)
        return later({ afterMs: usuallyAtLeastMs * 0.95 - elapsed() });
      const droplet = await providers.digitalocean.findDropletByTag(operationTag(operation.id));
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

/** Destroys the operation's droplet and waits until it is gone; looks for what an unclear create may have left. */
export const destroyDroplet = (
  name: string,
  label: string,
  options: { final?: boolean } = {},
): Step<MachineFacts> =>
  step(
    name,
    label,
    async (context): Promise<Outcome<MachineFacts>> => {
      const { facts, providers, monotonic } = context;
      const { digitalocean } = providers;
      const known = machineOf(context).dropletId ?? facts.dropletId;
      if (known !== undefined && (await digitalocean.getDroplet(known)) !== undefined) {
        await digitalocean.destroyDroplet(known);
        if ((await digitalocean.getDroplet(known)) !== undefined) return later({ afterMs: 2000 });
      }
      // One more of ours than its row knows must not be left behind. The list lags behind deletes as well.
      const left = await digitalocean.findDropletByTag(ownTag(context), { maxAgeMs: 0 });
      if (left !== undefined && left.id !== known && (await digitalocean.getDroplet(left.id)) !== undefined) {
        // Known from here on: there is no need to wait for it to show up any more.
        context.remember({ dropletId: left.id });
        await digitalocean.destroyDroplet(left.id);
        return later({ afterMs: 1000 });
      }
      if (
        known === undefined &&
        facts.createAskedAt !== undefined &&
        monotonic() - facts.createAskedAt < visibilityWindowMs
      )
        return later({ afterMs: 3000, progress: { label: "Making sure that no droplet was made" } });
      const gone = machineIs(facts, { dropletId: undefined, address: undefined, hostKey: undefined });
      return done({
        ...gone,
        facts: { ...gone.facts, createAskedAt: undefined },
        // Its names led to nothing but the droplet.
        ...(facts.throwaway === true
          ? {}
          : { rows: (tx) => tx.delete(aliases).where(eq(aliases.instanceId, context.instance.id)).run() }),
      });
    },
    options,
  );
