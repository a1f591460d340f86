import { newestOperation, type OperationStarter, startOperation } from "#server/operations/startOperation.ts";
import { expectTypedSlug } from "./confirmation.ts";

/** Destroys an instance in whatever state it is: a half-built spawn as well. `confirm` must be its slug. */
export function destroyInstance(
  beginner: OperationStarter,
  input: { instanceId: string; confirm: string },
  who: string,
): string {
  return startOperation(beginner, {
    instanceId: input.instanceId,
    action: "destroy",
    kind: "destroy",
    who,
    plan: (tx, instance) => {
      expectTypedSlug(input.confirm, instance.slug);
      return {
        what: `destroyed ${instance.company}`,
        facts: unfinished(newestOperation(tx, instance.id)?.facts),
      };
    },
  });
}

/** What an interrupted spawn knew of its droplet. What may have been bought besides, every operation is told. */
export function unfinished(facts: Record<string, unknown> = {}): Record<string, unknown> {
  const { dropletId, address } = facts;
  return { dropletId, address };
}
