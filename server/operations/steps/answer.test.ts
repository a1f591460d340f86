import { afterEach, beforeEach, expect, test } from "vitest";
import { registry } from "#server/operations/registry.ts";
import { createCloudWorld } from "#server/operations/testing/testCloud.ts";
import { begin } from "#server/operations/testing/testEngine.ts";
import type { Probe } from "#server/providers/probe.ts";

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const minute = 60_000;
type Answer = Awaited<ReturnType<Probe["answer"]>>;
const saying = (version: string): Answer => ({ ok: true, version, ms: 1, userMessage: "It answers." });
const unknownName: Answer = {
  ok: false,
  ms: 1,
  userMessage: "Its name isn't known yet.",
  isNameUnknown: true,
};

async function powerOn(answer: (sinceMs: number) => Answer) {
  const { clock, engine, play, spawned } = world;
  const id = await spawned();
  const began = clock.now;
  engine.providers.probe.answer = async () => answer(clock.now - began);
  const operation = await play(begin(engine, id, registry["power-on"]));
  return { ...operation, tookMs: clock.now - began };
}

test("an early answer of the version from before is not yet a failure", async () => {
  const { state } = await powerOn((since) => saying(since < 30_000 ? "2.12.0" : "2.13.0"));
  expect(state).toBe("done");
});

test("a version that never changes is a failure once the time is up", async () => {
  const { state, failure, tookMs } = await powerOn(() => saying("2.12.0"));
  expect(state).toBe("failed");
  expect(failure?.userMessage).toBe("The intranet answers with version 2.12.0, not with 2.13.0.");
  expect(tookMs).toBeGreaterThanOrEqual(10 * minute);
});

test("a name that resolvers remember as unknown is waited for as long as they may", async () => {
  const known = await powerOn((since) => (since < 31 * minute ? unknownName : saying("2.13.0")));
  expect(known.state).toBe("done");
  const never = await powerOn(() => unknownName);
  expect(never.failure?.userMessage).toMatch(/didn't know the name within 35 minutes/);
});
