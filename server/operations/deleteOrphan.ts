import { z } from "zod";
import type { FindingOf } from "../drift/findings.ts";
import {
  defineOperation,
  done,
  later,
  type Outcome,
  type StepContext,
  StepFailure,
  step,
} from "./definition.ts";
import { forgetRecords } from "./dns.ts";
import { type DriftFacts, driftFacts, findingOf, forget, taggedDroplet } from "./driftSteps.ts";

type Context = StepContext<DriftFacts>;

const withinMs = 20 * 60_000;
/** DigitalOcean takes its time: it is asked again this often. */
const lookAgainMs = 10_000;

async function deleteOrphan(context: Context): Promise<Outcome<DriftFacts>> {
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

async function deleteDroplet(
  context: Context,
  one: FindingOf<"orphaned-droplet">,
): Promise<Outcome<DriftFacts>> {
  const { instance, providers } = context;
  if (instance.dropletId === one.dropletId)
    throw new StepFailure(
      `${instance.company} runs on this droplet by now, so it was left alone.`,
      `droplet ${one.dropletId}`,
    );
  if ((await taggedDroplet(context, one)) !== undefined) {
    await providers.digitalocean.destroyDroplet(one.dropletId);
    if ((await providers.digitalocean.getDroplet(one.dropletId)) !== undefined)
      return later({ afterMs: lookAgainMs, progress: { label: "DigitalOcean is deleting the droplet" } });
  }
  return done({ rows: forget(one) });
}

async function deleteSnapshot(
  { instance, providers: { digitalocean } }: Context,
  one: FindingOf<"orphaned-snapshot">,
): Promise<Outcome<DriftFacts>> {
  if (instance.snapshotId === one.snapshotId)
    throw new StepFailure(
      `${instance.company} is brought back from this snapshot by now, so it was left alone.`,
      `snapshot ${one.snapshotId}`,
    );
  const snapshot = await digitalocean.findSnapshot(one.snapshotId);
  if (snapshot !== undefined && snapshot.name !== one.name)
    throw new StepFailure(
      "The snapshot has another name by now, so it was left alone.",
      `snapshot ${one.snapshotId} is called ${snapshot.name}`,
    );
  if (snapshot !== undefined) await digitalocean.deleteSnapshot(one.snapshotId);
  return done({ rows: forget(one) });
}

async function deleteRecord(
  { instance, aliases, providers: { digitalocean } }: Context,
  one: FindingOf<"orphaned-record">,
): Promise<Outcome<DriftFacts>> {
  const isOwnName = [instance, ...aliases].some((at) => at.slug === one.name && at.domain === one.domain);
  if (isOwnName && instance.destroyedAt === null && instance.address === one.address)
    throw new StepFailure(
      `${instance.company} answers at this address by now, so the record was left alone.`,
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
export const deleteOrphanOperation = defineOperation<DriftFacts>({
  kind: "delete-orphan",
  label: "Delete from DigitalOcean",
  sentences: {
    cancelling: "What is being deleted can't be brought back.",
    cancelled: "Nothing was deleted. It may still exist at DigitalOcean and cost money.",
    failed: "It may still exist at DigitalOcean and cost money. The instance wasn't changed.",
  },
  facts: z.object(driftFacts).partial(),
  status: { during: "before", done: "before", cancelled: "before", failed: "before" },
  mutating: false,
  steps: [
    step("delete-orphan", "Delete it at DigitalOcean", deleteOrphan, {
      final: true,
      giveUp: { afterMs: withinMs, sentence: "DigitalOcean didn't delete it within 20 minutes." },
    }),
  ],
  undo: [],
});
