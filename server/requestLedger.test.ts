import { afterEach, beforeEach, expect, test } from "vitest";
import { openDatabase } from "#db/client.ts";
import { createTestEngine } from "./operations/testing/testEngine.ts";
import { createRequestLedger } from "./requestLedger.ts";

let world: ReturnType<typeof createTestEngine>;
beforeEach(() => {
  world = createTestEngine();
});
afterEach(() => world.close());

test("processes that share a database share the limits", () => {
  const others = openDatabase(world.file);
  const ledgers = [world.db, others.db, others.db].map((db) =>
    createRequestLedger(db, { monotonic: () => world.clock.now }),
  );
  let sent = 0;
  const lease = () => ledgers.map((ledger) => ledger.lease(16, 1)).map(({ requests }) => requests);
  for (let round = 0; round < 20; round += 1) for (const requests of lease()) sent += requests;
  expect(sent).toBe(240);
  const refused = ledgers[1]?.lease(1, 1);
  expect(refused).toMatchObject({ requests: 0 });
  world.clock.now += refused?.waitMs ?? 0;
  expect(lease()).toEqual([16, 16, 16]);
  others.connection.close();
});
