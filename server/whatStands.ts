import type { instances, operations } from "../db/schema.ts";

type Operation = Pick<typeof operations.$inferSelect, "kind" | "facts">;
type Instance = Pick<typeof instances.$inferSelect, "dropletId" | "snapshotId">;

/** What there is after an operation failed, and what of it costs money: no more than the rows know. */
export function whatStands(operation: Operation, instance: Instance): string {
  const { dropletId, createAskedAt } = operation.facts;
  const mayHaveBought = createAskedAt !== undefined;
  switch (operation.kind) {
    case "backup":
      return "This backup doesn't count. The intranet and its earlier backups were not changed by it.";
    case "prove":
      return dropletId !== undefined || mayHaveBought
        ? "The intranet was not changed. The temporary droplet may still exist and cost money. Retry or Cancel looks for it."
        : "The intranet was not changed, and the temporary droplet is gone.";
    case "purge":
      return "What was removed is gone. Other snapshots and backups of this instance may remain and cost money.";
    case "delete-orphan":
      return "It may still exist at DigitalOcean and cost money. The instance was not changed.";
    case "adopt-snapshot":
      return "The snapshot may still exist, and costs money until it is deleted.";
    case "repair-drift":
      return "The droplet was not changed. The Drift page shows what still differs.";
    case "remove-stray":
      return "The droplet may still exist, and costs money until it is destroyed.";
  }
  const droplet =
    instance.dropletId !== null
      ? "As far as the Spawner knows its droplet still exists. It costs money until the instance is destroyed."
      : mayHaveBought
        ? "A droplet was requested, and may exist and cost money. Retry or Cancel looks for it."
        : "It has no droplet.";
  return instance.snapshotId === null ? droplet : `${droplet} Its snapshot is kept, and costs money.`;
}
