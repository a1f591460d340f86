import { eq } from "drizzle-orm";
import { write } from "#db/client.ts";
import { audit, instances } from "#db/schema.ts";
import { CommandError } from "#server/commandError.ts";
import { appendEvent } from "#server/operations/engine/events.ts";
import { instanceOf, type OperationStarter } from "#server/operations/startOperation.ts";

/** Sets or takes away the protection against Destroy. */
export function protectInstance(
  { db, now }: Pick<OperationStarter, "db" | "now">,
  input: { instanceId: string; isProtected: boolean },
  who: string,
): void {
  write(db, (tx) => {
    const instance = instanceOf(tx, input.instanceId);
    if (instance.isProtected === input.isProtected) return;
    if (input.isProtected && instance.status === "destroying")
      throw new CommandError("not-now", "It's already being destroyed. Cancel that first.");
    const at = now();
    tx.update(instances).set({ isProtected: input.isProtected }).where(eq(instances.id, instance.id)).run();
    const what = input.isProtected
      ? `protected ${instance.company}`
      : `removed protection from ${instance.company}`;
    tx.insert(audit).values({ at, who, what, instanceId: instance.id }).run();
    appendEvent(tx, { at, kind: "instance", instanceId: instance.id });
  });
}
