import type { Tx } from "../../db/client.ts";
import type { EventKind, JsonObject } from "../../db/schema.ts";
import { events } from "../../db/schema.ts";

export type NewEvent = {
  at: number;
  kind: EventKind;
  instanceId: string;
  operationId?: string;
  step?: string;
  data?: JsonObject;
};

/** Says what happened, in the same transaction as the change itself. */
export function appendEvent(tx: Tx, event: NewEvent): void {
  tx.insert(events)
    .values({
      at: event.at,
      kind: event.kind,
      instanceId: event.instanceId,
      operationId: event.operationId ?? null,
      step: event.step ?? null,
      data: event.data ?? {},
    })
    .run();
}
