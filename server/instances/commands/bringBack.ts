import { and, desc, eq } from "drizzle-orm";
import { z } from "zod";
import { aliases, instances, operations } from "#db/schema.ts";
import { newId } from "#server/ids.ts";
import {
  addressTaken,
  hasForeignRecord,
  isTaken,
  type RecordFinder,
  refuseForeignRecord,
} from "#server/instances/addresses.ts";
import { refuseDomain } from "#server/instances/domains.ts";
import { sourceOf } from "#server/operations/goodBackups.ts";
import { newestRestorePoint } from "#server/operations/restorePoints.ts";
import { instanceOf, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import { redirectFact } from "#server/operations/steps/machineFacts.ts";

const facts = z.object({ redirects: z.array(redirectFact).default([]) });

/** Addresses that redirected to the instance when it was destroyed, except those a foreign record uses now. */
async function redirectsOf(web: OperationStarter & RecordFinder, instanceId: string) {
  const destroyed = web.db
    .select({ facts: operations.facts })
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, instanceId),
        eq(operations.kind, "destroy"),
        eq(operations.state, "done"),
      ),
    )
    .orderBy(desc(operations.sequence))
    .get();
  const { redirects } = facts.parse(destroyed?.facts ?? {});
  const isForeign = await Promise.all(redirects.map((place) => hasForeignRecord(web, place, instanceId)));
  return redirects.filter((_, index) => isForeign[index] === false);
}

/**
 * Brings a destroyed instance back from its newest snapshot or backup, at its own address, or at `slug` if that address is
 * taken. Earlier addresses redirect to it again until their time is over.
 */
export async function bringBack(
  web: OperationStarter & RecordFinder,
  input: { instanceId: string; slug?: string | undefined },
  who: string,
): Promise<string> {
  const { domain, slug: own } = instanceOf(web.db, input.instanceId);
  await refuseForeignRecord(web, { slug: input.slug ?? own, domain }, input.instanceId);
  const redirects = await redirectsOf(web, input.instanceId);
  return startOperation(web, {
    instanceId: input.instanceId,
    kind: "bring-back",
    who,
    plan: (tx, instance) => {
      const slug = input.slug ?? instance.slug;
      refuseDomain(tx, instance.domain, web.env);
      if (isTaken(tx, { slug, domain: instance.domain }, instance.id))
        throw addressTaken(tx, { slug, domain: instance.domain });
      const kept = newestRestorePoint(tx, instance);
      const start = kept?.from === "snapshot" ? { imageId: kept.id } : { source: sourceOf(kept?.backup) };
      tx.update(instances)
        .set({
          slug,
          destroyedAt: null,
          keptUntil: null,
          dropletId: null,
          ipAddress: null,
          hostKey: null,
          answeredAt: null,
          answeredInMs: null,
          silentSince: null,
          dropletMissingSince: null,
          dropletGoneAt: null,
          // A backup comes back in any team; a snapshot only in the one it belongs to.
          ...(kept?.from === "snapshot" ? {} : { accountId: null }),
        })
        .where(eq(instances.id, instance.id))
        .run();
      for (const place of redirects) {
        const isOwn = place.slug === slug && place.domain === instance.domain;
        if (isOwn || place.expiresAt <= web.now() || isTaken(tx, place, instance.id)) continue;
        tx.insert(aliases)
          .values({ id: newId(), instanceId: instance.id, role: "redirect", ...place })
          .run();
      }
      return {
        what: `brought ${instance.company} back`,
        facts: { ...start, ...(slug === instance.slug ? {} : { previousSlug: instance.slug }) },
      };
    },
  });
}
