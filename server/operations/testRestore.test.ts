import { eq } from "drizzle-orm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { backups } from "#db/schema.ts";
import { testRestore } from "#server/backups/commands/testRestore.ts";
import { createCloudWorld } from "./testing/testCloud.ts";

let world: ReturnType<typeof createCloudWorld>;
beforeEach(() => {
  world = createCloudWorld();
});
afterEach(() => world.close());

const testRestoreOf = (instanceId: string) => world.play(testRestore(world.engine, { instanceId }, "joe"));

test("a test restore is given none of the customer's variables, and no name points to it", async () => {
  const { cloud, engine, spawned } = world;
  engine.openVariables = () => [{ name: "MAIL_URL", value: "smtp://acme:secret@mail.example", secret: true }];
  const { playbooks } = engine.providers;
  const given: { playbook: string; vars: string }[] = [];
  engine.providers = {
    ...engine.providers,
    playbooks: {
      ...playbooks,
      ensureRun: async (run) => {
        given.push({ playbook: run.playbook, vars: JSON.stringify(run.vars) });
        return playbooks.ensureRun(run);
      },
    },
  };
  const id = await spawned();
  expect(given).toMatchObject([{ playbook: "provision", vars: expect.stringContaining("MAIL_URL") }]);
  world.backedUp(id);
  const records = [...cloud.records];
  given.length = 0;

  expect(await testRestoreOf(id)).toMatchObject({ state: "done" });
  expect(given.map(({ playbook }) => playbook)).toEqual(["provision", "restore"]);
  expect(given[0]?.vars).toContain('"environment_variables":{}');
  for (const { vars } of given) expect(vars).not.toMatch(/MAIL_URL|smtp/);
  expect(cloud.asked.filter((asked) => /^(POST|PUT) domains/.test(asked))).toEqual([]);
  expect(cloud.records).toEqual(records);
});

test("the time a test restore took is shown, whatever the wall clock did on the way", async () => {
  const { clock, db, engine, spawned } = world;
  const id = await spawned();
  const backupId = world.backedUp(id);
  const { transfer, probe } = engine.providers;
  let answeredAt = 0;
  engine.providers = {
    ...engine.providers,
    transfer: {
      ...transfer,
      sendFile: (...sent) => {
        clock.now += 4 * 60_000;
        clock.wallAheadMs = -3_600_000;
        return transfer.sendFile(...sent);
      },
    },
    probe: {
      ...probe,
      answer: (...asked) => {
        answeredAt = clock.now;
        return probe.answer(...asked);
      },
    },
  };
  const began = clock.now;
  await testRestoreOf(id);
  const row = db.select().from(backups).where(eq(backups.id, backupId)).get();
  expect(row?.restoreTestedInMs).toBe(answeredAt - began);
  expect(row?.restoreTestedInMs).toBeGreaterThan(4 * 60_000);
});
