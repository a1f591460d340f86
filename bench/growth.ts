import { performance } from "node:perf_hooks";
import { asc, eq } from "drizzle-orm";
import { instances, snapshots } from "#db/schema.ts";
import { backupsInput, backupsPage } from "#server/api/backupList.ts";
import { readEnv } from "#server/env.ts";
import { listedInput, listPage, statusSums } from "#server/instances/list.ts";
import { instanceDetail } from "#server/instances/queries.ts";
import { runMaintenance } from "#server/maintenance/maintenance.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { percentile } from "#server/operations/engine/durations.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { instanceTag } from "#server/operations/steps/droplet.ts";
import { createTestEngine, only, realClock } from "#server/operations/testing/testEngine.ts";
import type { BackupStore } from "#server/providers/backups/backups.ts";
import { type DigitalOcean, type Droplet, ourTag } from "#server/providers/digitalocean/digitalocean.ts";
import type { PlaybookRunner } from "#server/providers/playbooks/playbooks.ts";
import { addOperation, fill } from "./fill.ts";

/** What becomes of the pages' queries as the tables grow: a small and a large installation side by side in one run. */

type Installation = ReturnType<typeof install>;

const rounds = 41;
const maintenanceRounds = 5;
const env = readEnv({ DATABASE_URL: "postgres://localhost/none", SECRET_KEY: "0123456789abcdef0123" });
const all = listedInput.parse({});
const typed = ["n", "no", "nor", "nord", "nordw", "nordwind", "nordwind 4", "zzz", "må", "slug-77"];

function install(count: number, perInstance: number) {
  const world = createTestEngine(realClock);
  world.db.run("pragma synchronous = OFF");
  const filling = {
    ...{ instances: count, operations: perInstance, backups: 10, logLines: 2, now: Date.now() },
  };
  fill(world.db, filling);
  return { ...world, filling };
}

const timed = (work: () => unknown): number => {
  const from = performance.now();
  work();
  return performance.now() - from;
};

/** Medians of both, measured in turn: whatever else the machine does befalls both. */
function compare(small: () => unknown, large: () => unknown) {
  const times: [number[], number[]] = [[], []];
  for (let round = -3; round < rounds; round += 1)
    for (const [index, work] of [small, large].entries()) {
      const ms = timed(work);
      if (round >= 0) times[index === 0 ? 0 : 1].push(ms);
    }
  const [smallMs, largeMs] = [percentile(times[0], 0.5), percentile(times[1], 0.5)];
  return { smallMs, largeMs, ratio: largeMs / smallMs };
}

const list = ({ db }: Installation) => db.transaction((tx) => listPage(env, tx, all));
const detail = ({ db }: Installation, slug: string) => db.transaction((tx) => instanceDetail(env, tx, slug));

/** A DigitalOcean that matches the rows, without a network, for maintenance to compare them with. */
function cloudOf({ db }: Installation): Providers {
  const rows = db.select().from(instances).all();
  const droplets = rows.flatMap(({ id, slug, dropletId, ipAddress, ...row }): Droplet[] =>
    dropletId === null
      ? []
      : [
          {
            ...{
              id: dropletId,
              name: slug,
              status: "active",
              address: ipAddress ?? undefined,
              snapshotIds: [],
            },
            ...{ sizeSlug: row.size, priceMonthlyCents: row.priceMonthlyCents, regionSlug: row.region },
            ...{ createdAt: new Date(row.createdAt).toISOString(), tags: [ourTag, instanceTag(id)] },
          },
        ],
  );
  const records = rows.flatMap(({ slug, ipAddress, destroyedAt }, index) =>
    ipAddress === null || destroyedAt !== null ? [] : [{ id: index + 1, name: slug, data: ipAddress }],
  );
  const taken = db
    .select()
    .from(snapshots)
    .all()
    .map(({ id, name, sizeGb, takenAt }) => ({ id, name, sizeGb, createdAt: takenAt }));
  return only<Providers>("providers", {
    backups: only<BackupStore>("backups", { remove: async () => {}, tidy: async () => {} }),
    playbooks: only<PlaybookRunner>("playbooks", { tidy: async () => {} }),
    digitalocean: only<DigitalOcean>("digitalocean", {
      account: async () => ({ id: "team", email: "joe@example.org", status: "active", dropletLimit: 20_000 }),
      listDroplets: async () => droplets,
      listAllDroplets: async () => droplets,
      listSnapshots: async () => taken,
      listARecords: async () => records,
      listSshKeys: async () => ["ssh-ed25519 AAAA"],
      deleteSnapshot: async () => true,
    }),
  });
}

/** The longest time in which nothing else of the process had its turn while maintenance ran. */
async function longestBlock(engine: Engine): Promise<number> {
  let longest = 0;
  let last = performance.now();
  let isOver = false;
  const tick = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(tick);
  };
  setImmediate(tick);
  await runMaintenance(engine);
  isOver = true;
  await new Promise((resolve) => setImmediate(resolve));
  return longest;
}

/**
 * The shortest of several rounds' longest blocks, because other work on the machine lengthens them. Rounds are two minutes
 * apart, so that each compares DigitalOcean with the rows; the first also records which team has each droplet.
 */
async function blockOfMaintenance(installation: Installation): Promise<number> {
  const providers = cloudOf(installation);
  const blocks: number[] = [];
  for (let round = 0; round < maintenanceRounds; round += 1) {
    const monotonic = () => installation.engine.monotonic() + round * 120_000;
    blocks.push(await longestBlock({ ...installation.engine, providers, monotonic }));
  }
  return Math.min(...blocks);
}

export async function measureGrowth(say: (text: string) => void) {
  const few = install(10, 10);
  say("  filling with 10,000 instances …");
  const filledMs = performance.now();
  const many = install(10_000, 20);
  say(`  filled in ${Math.round((performance.now() - filledMs) / 1000)} s`);
  const busiest = "slug-50";
  for (let number = 20; number < 1000; number += 1)
    addOperation(many.db, 50, number, { ...many.filling, operations: 1000 }, 1_000_000);
  const first = many.db
    .select()
    .from(instances)
    .where(eq(instances.slug, busiest))
    .orderBy(asc(instances.id))
    .get();
  if (first === undefined) throw new Error("The busiest instance is missing.");

  const lists = compare(
    () => list(few),
    () => list(many),
  );
  const full = install(100, 10);
  const fullLists = compare(
    () => list(full),
    () => list(many),
  );
  const details = compare(
    () => detail(few, "slug-8"),
    () => detail(many, busiest),
  );
  const sums = compare(
    () => statusSums(few.db),
    () => statusSums(many.db),
  );
  const backups = compare(
    () => backupsPage(few.db, backupsInput.parse({})),
    () => backupsPage(many.db, backupsInput.parse({})),
  );
  const searches = Array.from({ length: 5 }, () =>
    typed.map((search) =>
      timed(() =>
        many.db.transaction((tx) => [listPage(env, tx, { ...all, search }), statusSums(tx, search)]),
      ),
    ),
  ).flat();
  const searchBackups = typed.map((search) =>
    timed(() => backupsPage(many.db, backupsInput.parse({ search }))),
  );
  const bytes = Buffer.byteLength(JSON.stringify(list(many)));
  const block = await blockOfMaintenance(many);
  for (const one of [few, many, full]) one.close();
  return {
    lists,
    fullLists,
    details,
    sums,
    backups,
    bytes,
    searchP95: percentile(searches, 0.95),
    searchBackupsP95: percentile(searchBackups, 0.95),
    block,
  };
}

if (process.argv[1] === import.meta.filename)
  console.log(JSON.stringify(await measureGrowth((text) => process.stderr.write(`${text}\n`)), null, 2));
