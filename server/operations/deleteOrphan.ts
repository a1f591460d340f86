import { z } from "zod";
import type { FindingOf } from "#server/drift/findings.ts";
import type { Droplet } from "#server/providers/digitalocean/digitalocean.ts";
import {
  defineOperation,
  done,
  type FactsOf,
  later,
  type Outcome,
  type StepContext,
  StepFailure,
  step,
} from "./engine/define.ts";
import { forgetRecords } from "./steps/dns.ts";
import { driftFacts, expectTagged, findingOf, forget } from "./steps/driftFinding.ts";
import { ensureDestroyed, nextLook } from "./steps/droplet.ts";
import { machineFacts } from "./steps/machineFacts.ts";

const facts = { ...driftFacts, ...machineFacts };
type Facts = FactsOf<typeof facts>;
type Context = StepContext<Facts>;

const withinMs = 20 * 60_000;

async function deleteOrphan(context: Context): Promise<Outcome<Facts>> {
  const one = await findingOf(context, ["orphaned-droplet", "orphaned-snapshot", "orphaned-record"]);
  switch (one.type) {
    case "orphaned-droplet":
      return deleteDroplet(context, one);
    case "orphaned-snapshot":
      return deleteSnapshot(context, one);
    case "orphaned-record":
      return deleteRecord(context, one);
  }
}

async function deleteDroplet(context: Context, one: FindingOf<"orphaned-droplet">): Promise<Outcome<Facts>> {
  const { facts, instance } = context;
  if (instance.dropletId === one.dropletId)
    throw new StepFailure(
      `${instance.company} now runs on this droplet, so it was left alone.`,
      `droplet ${one.dropletId}`,
    );
  // It was found in the team of the round, whichever the instance's is.
  if (facts.accountId === undefined && facts.account !== undefined)
    context.remember({ accountId: facts.account });
  const isOurs = (droplet: Droplet) => {
    expectTagged(droplet, one);
    return true;
  };
  if ((await ensureDestroyed(context, one.dropletId, isOurs)) !== "gone") return later(nextLook(context));
  return done({ rows: forget(one) });
}

async function deleteSnapshot(
  { instance, providers: { digitalocean } }: Context,
  one: FindingOf<"orphaned-snapshot">,
): Promise<Outcome<Facts>> {
  if (instance.snapshotId === one.snapshotId)
    throw new StepFailure(
      `${instance.company} can be brought back from this snapshot now, so it was left alone.`,
      `snapshot ${one.snapshotId}`,
    );
  const snapshot = await digitalocean.findSnapshot(one.snapshotId);
  if (snapshot !== undefined && snapshot.name !== one.name)
    throw new StepFailure(
      "The snapshot has been renamed, so it was left alone.",
      `snapshot ${one.snapshotId} is called ${snapshot.name}`,
    );
  if (snapshot !== undefined) await digitalocean.deleteSnapshot(one.snapshotId);
  return done({ rows: forget(one) });
}

async function deleteRecord(
  { instance, aliases, providers: { digitalocean } }: Context,
  one: FindingOf<"orphaned-record">,
): Promise<Outcome<Facts>> {
  const isOwnName = [instance, ...aliases].some((at) => at.slug === one.name && at.domain === one.domain);
  if (isOwnName && instance.destroyedAt === null && instance.ipAddress === one.address)
    throw new StepFailure(
      `${instance.company} now answers at this address, so the record was left alone.`,
      `${one.name}.${one.domain} leads to ${one.address}`,
    );
  // Only this one, and only while it still leads where it led.
  const found = (await digitalocean.findRecords(one.domain, one.name)).find(({ id }) => id === one.recordId);
  if (found?.type === "A" && found.data === one.address)
    await digitalocean.removeRecord(one.domain, one.recordId);
  return done({
    rows: (tx) => {
      forgetRecords(tx, [one.recordId]);
      forget(one)(tx);
    },
  });
}

/** Deletes what we have made at DigitalOcean and no row knows any more. The instance it was made for is left alone. */
export const deleteOrphanOperation = defineOperation<Facts>({
  kind: "delete-orphan",
  label: "Delete from DigitalOcean",
  userMessages: {
    cancelling: "Anything already deleted can't be recovered.",
    cancelled: "Nothing was deleted. It may still exist at DigitalOcean and cost money.",
    failed: "It may still exist at DigitalOcean and cost money. The instance wasn't changed.",
  },
  facts: z.object(facts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: false,
  driftAction: "delete",
  repairsDrift: true,
  steps: [
    step("delete-orphan", "Delete it at DigitalOcean", deleteOrphan, {
      final: true,
      giveUp: { afterMs: withinMs, userMessage: "DigitalOcean didn't delete it within 20 minutes." },
    }),
  ],
});
