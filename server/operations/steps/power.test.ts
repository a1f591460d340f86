import { afterEach, beforeEach, expect, test } from "vitest";
import { setPower } from "#server/instances/commands/setPower.ts";
import { cancelOperation } from "#server/operations/cancelAndRetry.ts";
import { createCloudWorld } from "#server/operations/testing/testCloud.ts";

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const joe = "joe@intranet.localhost";

test("a cancelled shutdown that DigitalOcean is still at is waited for, before the droplet is called on", async () => {
  const { cloud, clock, engine, play, row, spawned } = world;
  const id = await spawned();
  const [droplet] = cloud.droplets;
  const slow = 900;
  cloud.meet = ({ method, path, body }) => {
    if (method !== "POST" || !path.endsWith("/actions") || body.type !== "shutdown") return undefined;
    cloud.actions.set(slow, "in-progress");
    return { status: 201, body: { action: { id: slow, status: "in-progress", type: "shutdown" } } };
  };
  const operationId = setPower(engine, { instanceId: id, power: "off" }, joe);
  await play(operationId, () => cloud.actions.has(slow));
  cancelOperation(engine, operationId, joe);
  const endsAt = clock.now + 10_000;
  await play(operationId, () => clock.now > endsAt);
  cloud.actions.set(slow, "completed");
  if (droplet !== undefined) droplet.status = "off";
  expect((await play(operationId)).state).toBe("cancelled");
  expect(droplet?.status).toBe("active");
  expect(row(id).status).toBe("running");
});
