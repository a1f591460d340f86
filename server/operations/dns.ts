import { done, later, type Outcome, type Step, type StepContext, skipped, step } from "./definition.ts";
import { type MachineFacts, machineOf } from "./machine.ts";

type Context = StepContext<MachineFacts>;

/** Points the instance's name, and whatever else leads to it, at its droplet. */
export const createDns = (name: string, label: string): Step<MachineFacts> =>
  step(name, label, async (context): Promise<Outcome<MachineFacts>> => {
    const { instance, providers } = context;
    const { address } = machineOf(context);
    if (address === undefined) return later({ afterMs: 1000 });
    for (const { slug, domain } of [instance, ...context.aliases]) {
      await providers.digitalocean.ensureDomain(domain);
      await providers.digitalocean.ensureARecord({ domain, name: slug, address });
    }
    return done();
  });

/**
 * Removes the records of the instance, those of its other names included: only those that still point at its
 * droplet. They go before the droplet goes.
 */
export const removeDns = (name: string, label: string): Step<MachineFacts> =>
  step(name, label, async (context: Context): Promise<Outcome<MachineFacts>> => {
    const { instance, providers, facts } = context;
    const address = machineOf(context).address ?? facts.address;
    if (address === undefined) return skipped();
    for (const { slug, domain } of [instance, ...context.aliases])
      await providers.digitalocean.removeARecords({ domain, name: slug, address });
    return done();
  });
