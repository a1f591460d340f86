import { and, eq, inArray } from "drizzle-orm";
import { z } from "zod";
import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import { dnsRecords, type JsonObject, operations } from "#db/schema.ts";
import { kindsThat } from "#server/operations/registry.ts";
import { createWindowEnd } from "./droplet.ts";
import { visibilityWindowMs } from "./dropletPresence.ts";
import { machineFacts } from "./machineFacts.ts";

const facts = z.object(machineFacts).partial();

const queries = prepared((tx: Pick<Tx, "select">) => ({
  buyers: tx
    .select({ facts: operations.facts })
    .from(operations)
    .where(
      and(
        eq(operations.instanceId, given("instanceId")),
        inArray(
          operations.kind,
          kindsThat(({ leavesRequests }) => leavesRequests === true),
        ),
      ),
    )
    .prepare(),
  records: tx
    .select()
    .from(dnsRecords)
    .where(eq(dnsRecords.instanceId, given("instanceId")))
    .prepare(),
}));

/**
 * What an operation has to know of the instance's earlier ones: the records they made, and what they asked DigitalOcean
 * for without ever getting a clear answer. Any of them may have bought a droplet that no row knows.
 */
export function earlierRequests(tx: Tx, instanceId: string, monotonic: number): JsonObject {
  const earlier = queries(tx)
    .buyers.all({ instanceId })
    .map((row) => facts.safeParse(row.facts).data ?? {});
  const late = earlier.filter((one) => (createWindowEnd(one) ?? 0) > monotonic);
  // However long ago it was asked for: only the team that may have bought it can say that there is none.
  const accountId = earlier.findLast((one) => one.createAskedAt !== undefined)?.accountId;
  const isRecent = ([, at]: [string, number]) => at + visibilityWindowMs > monotonic;
  const boughtAt = earlier.flatMap((one) => Object.entries(one.boughtAt ?? {}).filter(isRecent));
  const kept = queries(tx).records.all({ instanceId });
  // One whose step failed before its row was written is known to its operation alone.
  const records = [...kept, ...earlier.flatMap((one) => one.records ?? [])];
  const recordsAsked = earlier.flatMap((one) => one.recordsAsked ?? []);
  return {
    ...(records.length === 0
      ? {}
      : { records: unique(records.map(({ id, domain, name, address }) => ({ id, domain, name, address }))) }),
    ...(recordsAsked.length === 0 ? {} : { recordsAsked: unique(recordsAsked) }),
    ...(late.length === 0 ? {} : { lateUntil: Math.max(...late.map((one) => createWindowEnd(one) ?? 0)) }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(boughtAt.length === 0 ? {} : { boughtAt: Object.fromEntries(boughtAt) }),
  };
}

const unique = <Value>(list: readonly Value[]): Value[] => [
  ...new Map(list.map((one) => [JSON.stringify(one), one])).values(),
];
