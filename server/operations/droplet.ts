import { ProviderError } from "../providers/errors.ts";
import { done, later, type Outcome, type StepContext } from "./definition.ts";

/** What the steps that deal with a droplet learn and leave for each other. */
export type DropletFacts = { createAskedAt: number; dropletId: number; address: string };
type Context = StepContext<DropletFacts>;

/** DigitalOcean's lists lag behind its creates: until then a droplet that is not listed may still exist. */
export const visibilityWindowMs = 60_000;

const ourTag = "spawner";
/** The one handle by which a droplet is found again after an unclear create. */
export const operationTag = (operationId: string) => `spawner-op-${operationId}`;
const instanceTag = (instanceId: string) => `spawner-instance-${instanceId}`;

/** Asks for the operation's one droplet: finds it by its tag before it buys. */
export async function requestDroplet(context: Context): Promise<Outcome<DropletFacts>> {
  const { facts, instance, operation, providers, site, now } = context;
  const tag = operationTag(operation.id);
  if (facts.dropletId !== undefined) return done();
  if (facts.createAskedAt !== undefined) {
    const found = await providers.digitalocean.findDropletByTag(tag, { maxAgeMs: 0 });
    if (found !== undefined) return done(learned(found.id));
    if (now() - facts.createAskedAt < visibilityWindowMs)
      return later({ afterMs: 2000, progress: { label: "Looking whether the droplet was made" } });
  }
  const key = await providers.digitalocean.ensureSshKey(site.keyName, site.publicKey, context.signal);
  // The intent is on disk before the call, so that whoever comes after a crash looks before it buys.
  context.remember({ createAskedAt: now() });
  try {
    const droplet = await providers.digitalocean.createDroplet({
      name: `${instance.slug}.${instance.domain}`,
      region: instance.region,
      size: instance.size,
      image: "debian-13-x64",
      sshKeyId: key.id,
      tags: [ourTag, instanceTag(instance.id), tag],
    });
    return done(learned(droplet.id));
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
}

function learned(dropletId: number) {
  return { facts: { dropletId }, instance: { dropletId, address: null, hostKey: null } };
}

/** Waits for status, address and the first SSH contact, whose host key is pinned. */
export async function dropletReady(context: Context): Promise<Outcome<DropletFacts>> {
  const { operation, providers, site, startedAt, now, usuallyAtLeastMs, instance } = context;
  if (instance.address !== null && instance.hostKey !== null) return done();
  if (usuallyAtLeastMs !== undefined && now() - startedAt < usuallyAtLeastMs * 0.8)
    return later({ afterMs: usuallyAtLeastMs * 0.95 - (now() - startedAt) });
  const droplet = await providers.digitalocean.findDropletByTag(operationTag(operation.id));
  if (droplet === undefined) return later({ progress: { label: "Requested" } });
  if (droplet.status !== "active" || droplet.address === undefined)
    return later({
      progress: { label: droplet.status === "active" ? "Waiting for its address" : "Starting up" },
    });
  const hostKey = await providers.scanHostKey({ address: droplet.address, port: site.sshPort });
  if (hostKey === undefined)
    return later({ afterMs: 300, progress: { label: "Waiting for its first answer" } });
  return done({
    facts: { address: droplet.address },
    instance: { dropletId: droplet.id, address: droplet.address, hostKey },
  });
}

/** Points the instance's name at its droplet. */
export async function createDns(context: Context): Promise<Outcome<DropletFacts>> {
  const { instance, facts, providers } = context;
  const address = instance.address ?? facts.address;
  if (address === undefined) return later({ afterMs: 1000 });
  await providers.digitalocean.ensureDomain(instance.domain);
  await providers.digitalocean.ensureARecord({ domain: instance.domain, name: instance.slug, address });
  return done();
}

/** Removes the instance's record: only one that still points at its droplet. Goes before the droplet goes. */
export async function removeDns(context: Context): Promise<Outcome<DropletFacts>> {
  const { instance, facts, providers } = context;
  const address = instance.address ?? facts.address;
  if (address !== undefined)
    await providers.digitalocean.removeARecords({ domain: instance.domain, name: instance.slug, address });
  return done();
}

/** Destroys the droplet and waits until it is gone; looks for one that an unclear create may have left. */
export async function destroyDroplet(context: Context): Promise<Outcome<DropletFacts>> {
  const { facts, instance, providers, now } = context;
  let id = instance.dropletId ?? facts.dropletId;
  if (id === undefined && facts.createAskedAt !== undefined) {
    id = (await providers.digitalocean.findDropletByTag(instanceTag(instance.id), { maxAgeMs: 0 }))?.id;
    if (id === undefined && now() - facts.createAskedAt < visibilityWindowMs)
      return later({ afterMs: 3000, progress: { label: "Making sure that no droplet was made" } });
    if (id !== undefined) context.remember({ dropletId: id });
  }
  if (id === undefined) return done();
  if ((await providers.digitalocean.getDroplet(id)) !== undefined) {
    await providers.digitalocean.destroyDroplet(id);
    if ((await providers.digitalocean.getDroplet(id)) !== undefined) return later({ afterMs: 2000 });
  }
  return done({ instance: { dropletId: null, address: null, hostKey: null } });
}
