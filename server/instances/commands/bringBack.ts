import { eq } from "drizzle-orm";
import { instances } from "#db/schema.ts";
import {
  addressTaken,
  isTaken,
  type RecordFinder,
  refuseForeignRecord,
} from "#server/instances/addresses.ts";
import { sourceOf } from "#server/operations/goodBackups.ts";
import { newestRestorePoint } from "#server/operations/restorePoints.ts";
import { instanceOf, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";

/**
 * A destroyed instance returns from what was kept of it last, at its own address, or at `slug` when that has been taken
 * meanwhile.
 */
export async function bringBack(
  web: OperationStarter & RecordFinder,
  input: { instanceId: string; slug?: string | undefined },
  who: string,
): Promise<string> {
  const { domain, slug: own } = instanceOf(web.db, input.instanceId);
  await refuseForeignRecord(web, { slug: input.slug ?? own, domain }, input.instanceId);
  return startOperation(web, {
    instanceId: input.instanceId,
    kind: "bring-back",
    who,
    plan: (tx, instance) => {
      const slug = input.slug ?? instance.slug;
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
      return {
        what: `brought ${instance.company} back`,
        facts: { ...start, ...(slug === instance.slug ? {} : { previousSlug: instance.slug }) },
      };
    },
  });
}
