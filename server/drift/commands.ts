import { eq } from "drizzle-orm";
import type { Tx } from "#db/client.ts";
import { drift, instances, type JsonObject } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { addressTaken, isTaken } from "#server/instances/addresses.ts";
import { instanceOf, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import { actionsOf, type DriftAction, type Finding, finding, keyOf, operationFor } from "./findings.ts";
import { refusalOf } from "./queries.ts";
import { reconciliationState } from "./state.ts";

type Instance = typeof instances.$inferSelect;

/**
 * Begins what puts a finding right. The second press is the first one's. Refused while the instance has a live
 * operation, and when the finding is no longer there.
 */
export function resolveDrift(
  beginner: OperationStarter,
  { key, action }: { key: string; action: DriftAction },
  who: string,
): { operationId: string; instanceId: string; slug: string } {
  const { instanceId, finding: one } = findingAt(beginner.db, key);
  const operationId = startOperation(beginner, {
    instanceId,
    kind: operationFor(action, one),
    who,
    isSame: ({ facts }) => isAbout(facts, key),
    plan: (tx, instance) => {
      // It may have gone, or become another one, while this waited for its turn.
      const { finding: now, accountId } = findingAt(tx, key);
      refuseUnlessPossible(tx, instance, action, now);
      const before = action === "adopt" && now.type === "orphaned-droplet" ? revive(tx, instance) : {};
      const account = accountId ?? reconciliationState(tx).account;
      return { what: whatOf(action, now, instance), facts: { ...before, finding: now, account } };
    },
  });
  return { operationId, instanceId, slug: instanceOf(beginner.db, instanceId).slug };
}

function findingAt(tx: Pick<Tx, "select">, key: string) {
  const row = tx.select().from(drift).where(eq(drift.key, key)).get();
  if (row === undefined)
    throw new CommandError("not-found", "This is no longer on the list. It may have been resolved already.");
  return { ...row, finding: finding.parse(row.finding) };
}

function isAbout(facts: JsonObject, key: string): boolean {
  const known = finding.safeParse(facts.finding);
  return known.success && keyOf(known.data) === key;
}

function refuseUnlessPossible(tx: Tx, instance: Instance, action: DriftAction, one: Finding): void {
  if (!actionsOf(one).includes(action))
    throw new CommandError("not-now", "This is no longer possible. Reload the page.");
  const refusal = refusalOf(tx, instance, action);
  if (refusal !== null) throw new CommandError("not-now", refusal);
}

/** A destroyed instance takes its name back. Returns what its row said, in case it doesn't get the droplet. */
function revive(tx: Tx, { id, slug, domain, ...row }: Instance): JsonObject {
  if (isTaken(tx, { slug, domain }, id)) throw addressTaken(tx, { slug, domain });
  const { status, destroyedAt, keptUntil, purgedAt } = row;
  tx.update(instances).set({ destroyedAt: null, keptUntil: null }).where(eq(instances.id, id)).run();
  return { before: { status, destroyedAt, keptUntil, purgedAt } };
}

/** As the activity says it, after the name of who did it. */
function whatOf(action: DriftAction, one: Finding, { company }: Instance): string {
  switch (one.type) {
    case "orphaned-droplet":
      return action === "adopt"
        ? `adopted the droplet ${one.name} for ${company}`
        : `deleted the orphaned droplet ${one.name}`;
    case "orphaned-snapshot":
      return action === "adopt"
        ? `adopted the snapshot ${one.name} for ${company}`
        : `deleted the orphaned snapshot ${one.name}`;
    case "orphaned-record":
      return `deleted the orphaned DNS record of ${one.name}.${one.domain}`;
    case "changed-record":
    case "missing-record":
      return `repaired the DNS record of ${one.name}.${one.domain}`;
    case "missing-domain":
      return `added the domain ${one.domain} to DigitalOcean again`;
    case "missing-ssh-key":
      return "registered the SSH key with DigitalOcean again";
    case "changed-address":
      return `updated the address of ${company}`;
    case "changed-size":
      return `updated the size of ${company}`;
    case "changed-tags":
      return `tagged the droplet of ${company} again`;
    case "missing-snapshot":
      return `removed the snapshot ${one.name} from the records`;
    case "missing-droplet":
      return `noted that the droplet of ${company} is gone`;
  }
}
