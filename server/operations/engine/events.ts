import type { Tx } from "#db/client.ts";
import { given, prepared } from "#db/prepared.ts";
import type { EventKind, JsonObject } from "#db/schema.ts";
import { events } from "#db/schema.ts";

export type NewEvent = {
  at: number;
  kind: EventKind;
  instanceId: string;
  operationId?: string;
  step?: string;
  data?: JsonObject;
};

const inserting = prepared((tx: Pick<Tx, "insert">) =>
  tx
    .insert(events)
    .values({
      at: given("at"),
      kind: given("kind"),
      instanceId: given("instanceId"),
      operationId: given("operationId"),
      step: given("step"),
      data: given("data"),
    })
    .prepare(),
);

/** Says what happened, in the same transaction as the change itself. */
export function appendEvent(tx: Tx, event: NewEvent): void {
  inserting(tx).run({
    ...event,
    operationId: event.operationId ?? null,
    step: event.step ?? null,
    data: event.data ?? {},
  });
}
