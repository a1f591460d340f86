import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Postgres, startPostgres } from "../start/postgres.ts";
import { quickChoice } from "./quickChoice.ts";

const folder = mkdtempSync(join(tmpdir(), "spawner-crash-postgres-"));
let postgres: Postgres;
beforeAll(async () => {
  postgres = await startPostgres({ dataDir: folder, log: () => {} });
});
afterAll(async () => {
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

test("a worker killed with -9 between two of its writes: nothing lost, leaked or done twice", async () => {
  const story = await quickChoice(1, postgres.url);
  expect(story.violations).toEqual([]);
  expect(story.kills).toBeGreaterThan(5);
}, 180_000);
