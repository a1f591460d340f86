import { newestOperation, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import { expectTypedSlug } from "./confirmation.ts";

/** Destroys an instance in whatever state it is: a half-built spawn as well. `confirm` must be its slug. */
export function destroyInstance(
  beginner: OperationStarter,
  input: { instanceId: string; confirm: string },
  who: string,
): string {
  return startDestroy(beginner, input, who, ({ slug }) => expectTypedSlug(input.confirm, slug));
}

/** The same once somebody has confirmed it; `confirmed` may still refuse, with the instance before it. */
export function startDestroy(
  beginner: OperationStarter,
  { instanceId, batchId }: { instanceId: string; batchId?: string },
  who: string,
  confirmed: (instance: { slug: string }) => void = () => {},
): string {
  return startOperation(beginner, {
    ...{ instanceId, batchId, who },
    kind: "destroy",
    plan: (tx, instance) => {
      confirmed(instance);
      return {
        what: `destroyed ${instance.company}`,
        facts: unfinished(newestOperation(tx, instance.id)?.facts),
      };
    },
  });
}

/** What an interrupted spawn knew of its droplet. What may have been bought besides, every operation is told. */
function unfinished(facts: Record<string, unknown> = {}): Record<string, unknown> {
  const { dropletId, address } = facts;
  return { dropletId, address };
}
