import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { desc } from "drizzle-orm";
import { events, type OperationKind, operations } from "#db/schema.ts";
import { retryOperation } from "#server/operations/cancelAndRetry.ts";
import { registry } from "#server/operations/registry.ts";
import { begin, insertInstance } from "#server/operations/testing/testEngine.ts";
import { startOf } from "#server/operations/testing/testStarts.ts";
import { endWorker } from "./everyBoundary.ts";
import { writePlan } from "./plan.ts";
import { processesWith, signal, wait } from "./processes.ts";
import { createRandom, type Story, tell } from "./story.ts";
import { createWorld, operationOf, play, type World, whereIs } from "./world.ts";

const imageMb = 96;
/** What is begun before each loss, beside a spawn. */
const kinds: readonly OperationKind[] = ["backup", "restart", "upgrade", "change-address"];

/**
 * The power goes at a random moment. The Spawner's data lies on an ext4 file system in a loop-mounted image. What a
 * process has written and not synced is in the mounted file system's page cache and not in the image, so that a copy of
 * the image, taken while everything stands still and without syncing anything, is what a disk would hold after the
 * loss. The copy is mounted (ext4 replays its journal) and the Spawner goes on there. Playbooks are the real ones.
 *
 * It shows what is lost when the kernel dies and the disk keeps its word. It does not show a disk that loses what it
 * has called flushed, nor sectors torn in the middle. PostgreSQL and the local cloud keep their state: the queue may be
 * behind or ahead of SQLite anyway, and the cloud is not ours to lose.
 */
export const powerLoss = (seed: number, rounds: number, postgresUrl: string): Promise<Story> =>
  tell(`power lost ${rounds} times, moments ${seed}`, async () => {
    const place = mkdtempSync(join(tmpdir(), "spawner-power-"));
    let disk = join(place, "disk-0");
    const refused = makeDisk(disk);
    if (refused !== undefined) {
      rmSync(place, { recursive: true });
      return { skipped: `a loop mount is refused: ${refused}` };
    }
    try {
      const world = await createWorld({ postgresUrl, isReal: true, dataDir: dataOn(disk) });
      const violations: string[] = [];
      try {
        const random = createRandom(seed);
        writePlan(world.folder, { seed, share: 0, signal: "SIGKILL", lives: {} });
        const kept = insertInstance(world.db, { status: "spawning", version: "2.13.0" });
        await play(world, begin(world.engine, kept, registry.spawn));
        // A file system that has been in use for a while: what the first minute leaves unsynced is a story of its own.
        execFileSync("sync", ["-f", dataOn(disk)]);
        for (let round = 1; round <= rounds && violations.length === 0; round += 1) {
          const next = join(place, `disk-${round}`);
          violations.push(...(await loseOnce(world, { kept, disk, next, round, random })));
          disk = next;
        }
      } finally {
        await world.close();
      }
      return { violations, kills: rounds };
    } finally {
      spawnSync("umount", ["--lazy", mountOf(disk)]);
      rmSync(place, { recursive: true, force: true });
    }
  });

const imageOf = (disk: string) => `${disk}.img`;
const mountOf = (disk: string) => `${disk}.mount`;
const dataOn = (disk: string) => join(mountOf(disk), "data");

/** An empty file system of its own; why not, where that is refused. */
function makeDisk(disk: string): string | undefined {
  for (const [command, ...args] of [
    ["truncate", "-s", `${imageMb}M`, imageOf(disk)],
    ["mkfs.ext4", "-q", imageOf(disk)],
  ]) {
    const made = spawnSync(command ?? "", args, { encoding: "utf8" });
    if (made.status !== 0) return made.error?.message ?? made.stderr.trim();
  }
  return mount(disk);
}

function mount(disk: string): string | undefined {
  mkdirSync(mountOf(disk), { recursive: true });
  const mounted = spawnSync("mount", ["-o", "loop", imageOf(disk), mountOf(disk)], { encoding: "utf8" });
  return mounted.status === 0 ? undefined : (mounted.error?.message ?? mounted.stderr.trim());
}

type Loss = { kept: string; disk: string; next: string; round: number; random: () => number };

async function loseOnce(world: World, { kept, disk, next, round, random }: Loss): Promise<string[]> {
  const violations: string[] = [];
  const { engine, db } = world;
  const kind = kinds[round % kinds.length] ?? "backup";
  const worker = world.startWorker("worker", { DATA_DIR: dataOn(disk) });
  const begun = [
    await startOf[kind].begin(engine, kept),
    begin(engine, insertInstance(db, { status: "spawning" }), registry.spawn),
  ];
  for (const id of begun) engine.wake(id);
  await wait(1500 + random() * 6000);

  const ofRuns = () => processesWith(`${dataOn(disk)}/runs/`);
  for (const pid of [worker.pid, ...ofRuns()]) signal(pid, "SIGSTOP");
  // Whatever another process could read has been acknowledged.
  const acknowledged = {
    event: lastEvent(world),
    operations: db
      .select()
      .from(operations)
      .all()
      .map(({ id, state }) => ({ id, state })),
  };
  copyFileSync(imageOf(disk), imageOf(next));
  for (let left = ofRuns(); left.length > 0; left = ofRuns()) {
    for (const pid of left) signal(pid, "SIGKILL");
    await wait(30);
  }
  await worker.kill();
  world.closeDatabase();
  execFileSync("umount", ["--lazy", mountOf(disk)]);
  rmSync(imageOf(disk));

  const refused = mount(next);
  if (refused !== undefined) return [`the disk cannot be mounted after the loss: ${refused}`];
  world.reopen(dataOn(next));
  if (lastEvent(world) < acknowledged.event)
    violations.push(
      `events up to ${acknowledged.event} were acknowledged, and ${lastEvent(world)} is the last`,
    );
  for (const { id, state } of acknowledged.operations) {
    const found = world.db
      .select()
      .from(operations)
      .all()
      .find((row) => row.id === id);
    if (found === undefined || (state !== "running" && found.state !== state))
      violations.push(`${id} was ${state} and is ${found?.state ?? "lost"}`);
  }
  const successor = world.startWorker("worker", { DATA_DIR: dataOn(next) });
  const until = Date.now() + 180_000;
  const retried = new Set<string>();
  const isLive = (id: string): boolean => {
    const { state } = operationOf(world.db, id);
    if (state === "failed" && !retried.has(id)) {
      retried.add(id);
      violations.push(
        `${operationOf(world.db, id).kind} failed: ${operationOf(world.db, id).failure?.detail}`,
      );
      retryOperation(world.engine, id, "joe@intranet.localhost");
    }
    return state === "running";
  };
  while (begun.some(isLive) && Date.now() < until) await wait(100);
  for (const id of begun) if (isLive(id)) violations.push(whereIs(world.db, id));
  violations.push(...(await world.broken()));
  await endWorker(successor);
  return violations.map((text) => `round ${round} (${kind}): ${text}`);
}

const lastEvent = ({ db }: Pick<World, "db">): number =>
  db.select({ id: events.id }).from(events).orderBy(desc(events.id)).limit(1).get()?.id ?? 0;
