import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import { aliases } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { newId } from "#server/ids.ts";
import {
  addressTaken,
  isTaken,
  type RecordFinder,
  refuseForeignRecord,
} from "#server/instances/addresses.ts";
import { refuseDomain } from "#server/instances/domains.ts";
import type { addressInput } from "#server/instances/inputs.ts";
import { type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

/** Moves an instance to another address; the one from before leads there for a time. */
export async function changeAddress(
  web: OperationStarter & RecordFinder,
  input: z.infer<typeof addressInput>,
  who: string,
): Promise<string> {
  const { instanceId, slug, domain, redirectDays } = input;
  await refuseForeignRecord(web, { slug, domain }, instanceId);
  return startOperation(web, {
    instanceId,
    kind: "change-address",
    who,
    isSame: ({ facts }) => isDeepStrictEqual(facts.next, { slug, domain }),
    plan: (tx, instance) => {
      if (slug === instance.slug && domain === instance.domain) {
        const userMessage = "It already has this address. Choose another one.";
        throw new CommandError("invalid", userMessage, { slug: userMessage });
      }
      refuseDomain(tx, domain, web.env);
      if (isTaken(tx, { slug, domain }, instance.id)) throw addressTaken(tx, { slug, domain });
      // Back to an address that still leads here: it becomes the one to move to, and Cancel makes it what it was.
      const next = { instanceId, slug, domain, role: "next" as const };
      const [{ expiresAt: redirectUntil } = { expiresAt: null }] = tx
        .insert(aliases)
        .values({ id: newId(), ...next })
        .onConflictDoUpdate({ target: [aliases.slug, aliases.domain], set: { role: "next" } })
        .returning({ expiresAt: aliases.expiresAt })
        .all();
      const previous = { slug: instance.slug, domain: instance.domain };
      return {
        what: `moved ${instance.company} to ${slug}.${domain}`,
        facts: {
          ...{ next: { slug, domain }, previous, redirectDays },
          ...(redirectUntil === null ? {} : { redirectUntil }),
        },
      };
    },
  });
}
