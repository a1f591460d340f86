import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { z } from "zod";
import type { Stack } from "./stack.ts";

const stepShape = z.object({
  name: z.string(),
  state: z.string(),
  startedAt: z.number().nullable(),
  endedAt: z.number().nullable(),
});
const operationShape = z.object({
  operation: z.object({
    state: z.string(),
    createdAt: z.number(),
    endedAt: z.number().nullable(),
    failure: z.unknown(),
    steps: z.array(stepShape),
  }),
});

/** Presses "Spawn instance" once; returns the operation's id. */
export async function press(
  stack: Stack,
  slug: string,
): Promise<{ operationId: string; instanceId: string }> {
  return stack.mutate(z.object({ operationId: z.string(), instanceId: z.string() }), "instances.spawn", {
    ...{
      idempotencyKey: randomUUID(),
      company: `Bench ${slug}`,
      contactName: "Petra",
      contactEmail: "petra@acme.example",
    },
    ...{
      slug,
      domain: "intranet.localhost",
      region: "fra1",
      size: "s-1vcpu-2gb",
      version: "2.14.0",
      variables: [],
    },
  });
}

/** Waits until the operation has ended well; its wall time and that of each step, in ms. */
export async function finished(stack: Stack, operationId: string) {
  for (;;) {
    const { operation } = await stack.query(operationShape, "operations.get", { operationId });
    if (operation.state === "failed")
      throw new Error(`The spawn failed: ${JSON.stringify(operation.failure)}`);
    if (operation.state === "done")
      return {
        wall: (operation.endedAt ?? 0) - operation.createdAt,
        steps: Object.fromEntries(
          operation.steps.map((step) => [step.name, (step.endedAt ?? 0) - (step.startedAt ?? 0)]),
        ),
      };
    await wait(200);
  }
}
