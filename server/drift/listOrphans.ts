import { eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { drift } from "#db/schema.ts";
import { type FindingOf, finding } from "./findings.ts";

type OrphanFinding = FindingOf<"orphaned-droplet"> | FindingOf<"orphaned-snapshot">;
type Orphan = { id: number; finding: OrphanFinding; row: typeof drift.$inferSelect };

const driftRows = prepared((tx: Pick<Tx, "select">) => ({
  all: tx.select().from(drift).prepare(),
  ofInstance: tx
    .select()
    .from(drift)
    .where(eq(drift.instanceId, given("instanceId")))
    .prepare(),
}));

/** What costs money and isn't used by any instance: of one instance, or of all. */
export function orphans(tx: Pick<Tx, "select">, instanceId?: string): Orphan[] {
  const known = driftRows(tx);
  const rows = instanceId === undefined ? known.all.all() : known.ofInstance.all({ instanceId });
  return rows.flatMap((row): Orphan[] => {
    const one = finding.parse(row.finding);
    if (one.type === "orphaned-droplet") return [{ id: one.dropletId, finding: one, row }];
    return one.type === "orphaned-snapshot" ? [{ id: one.snapshotId, finding: one, row }] : [];
  });
}

/** What a mail says about an orphan by DigitalOcean's id; it may have been put right since the mail was due. */
export function orphanAbout(
  tx: Pick<Tx, "select">,
  instanceId: string,
  id: number,
): { what: string; monthly: string; since: string } {
  const orphan = orphans(tx, instanceId).find((one) => one.id === id);
  if (orphan === undefined)
    return { what: "A resource at DigitalOcean", monthly: "$0.00", since: "it has been resolved since" };
  const { type, name } = orphan.finding;
  return {
    what: `The ${type === "orphaned-droplet" ? "droplet" : "snapshot"} ${name}`,
    monthly: `$${(orphan.row.monthlyCents / 100).toFixed(2)}`,
    since: new Date(orphan.row.foundAt)
      .toISOString()
      .replace("T", ", ")
      .replace(/:\d\d\.\d+Z$/, " UTC"),
  };
}
