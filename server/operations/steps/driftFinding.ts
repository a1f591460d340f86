import { eq } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { drift } from "#db/schema.ts";
import { type Finding, type FindingOf, type FindingType, finding, keyOf } from "#server/drift/findings.ts";
import { type FactsOf, type StepContext, StepFailure } from "#server/operations/engine/define.ts";
import type { Droplet } from "#server/providers/digitalocean/digitalocean.ts";

/** What is put right, as the round found it; `account`: the one on which it was found. */
export const driftFacts = { finding, account: z.string() };
export type DriftFacts = FactsOf<typeof driftFacts>;
type Context = Pick<StepContext<DriftFacts>, "facts" | "providers">;

/** The operation's finding; fails when it is of another type, or when the token is another account's by now. */
export async function findingOf<Type extends FindingType>(
  { facts, providers }: Context,
  types: readonly Type[],
): Promise<FindingOf<Type>> {
  const known = facts.finding;
  if (known === undefined || !isOneOf(known, types))
    throw new StepFailure("There's nothing to do for this difference.", known?.type ?? "no finding");
  if (facts.account !== undefined) {
    const { id, email } = await providers.digitalocean.account();
    if (id !== facts.account)
      throw new StepFailure(
        `The token belongs to another DigitalOcean account (${email}). Nothing was changed.`,
        `account ${id} instead of ${facts.account}`,
      );
  }
  return known;
}

const isOneOf = <Type extends FindingType>(
  one: Finding,
  types: readonly Type[],
): one is FindingOf<Type> & Finding => types.some((type) => type === one.type);

/** Takes the finding off the page. */
export const forget = (one: Finding) => (tx: Tx) => {
  tx.delete(drift)
    .where(eq(drift.key, keyOf(one)))
    .run();
};

/** Fails when the droplet of a finding does not bear the tag that shows it is ours. */
export function expectTagged({ id, tags }: Droplet, { ownTag }: { ownTag: string }): void {
  if (!tags.includes(ownTag))
    throw new StepFailure(
      "The droplet doesn't carry the Spawner's tag any more, so it was left alone.",
      `droplet ${id} lacks ${ownTag}`,
    );
}
