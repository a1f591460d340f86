import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { operations } from "#db/schema.ts";
import { retryOperation } from "#server/operations/cancelAndRetry.ts";
import { registry } from "#server/operations/registry.ts";
import { begin, insertInstance } from "#server/operations/testing/testEngine.ts";
import { startOf } from "#server/operations/testing/testStarts.ts";
import { endWorker } from "./everyBoundary.ts";
import { writePlan } from "./plan.ts";
import { type Running, wait } from "./processes.ts";
import { createRandom, type Story, tell } from "./story.ts";
import { createWorld, operationOf, play, type World, whereIs } from "./world.ts";

const sizeMb = 24;
const fullMs = 6000;

/**
 * The Spawner's own data on a small tmpfs that fills up while spawns and backups run, stays full for some seconds and
 * has room again. It has to say so, to keep what it has acknowledged, and to go on by itself. tmpfs answers ENOSPC as
 * a real disk does; it does not show a file system that reserves blocks for root or reports the error late.
 */
export const fullDisk = (seed: number, postgresUrl: string): Promise<Story> =>
  tell(`full disk, moment ${seed}`, async () => {
    const place = mkdtempSync(join(tmpdir(), "spawner-small-"));
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", place], {
      encoding: "utf8",
    });
    if (mounted.status !== 0) {
      rmSync(place, { recursive: true });
      return { skipped: `a tmpfs is refused: ${mounted.error?.message ?? mounted.stderr.trim()}` };
    }
    try {
      const world = await createWorld({ postgresUrl, dataDir: join(place, "data") });
      try {
        return await fillUp(world, place, createRandom(seed));
      } finally {
        await world.close();
      }
    } finally {
      spawnSync("umount", ["--lazy", place]);
      rmSync(place, { recursive: true, force: true });
    }
  });

async function fillUp(world: World, place: string, random: () => number) {
  const { engine, db, folder } = world;
  const kept = insertInstance(db, { status: "spawning", version: "2.13.0" });
  await play(world, begin(engine, kept, registry.spawn));
  writePlan(folder, { seed: 1, share: 0, signal: "SIGKILL", lives: {} });
  const acknowledged = [await startOf.backup.begin(engine, kept)];
  for (let count = 0; count < 3; count += 1)
    acknowledged.push(begin(engine, insertInstance(db, { status: "spawning" }), registry.spawn));
  const supervised = superviseWorker(world);
  const violations: string[] = [];
  try {
    await wait(500 + random() * 3000);
    const filler = join(place, "filler");
    fill(filler);
    const refills = setInterval(() => fill(filler), 50);
    // What is pressed now is refused or acknowledged, and then kept.
    const refusals: string[] = [];
    for (const until = Date.now() + fullMs; Date.now() < until; await wait(500))
      try {
        acknowledged.push(begin(engine, insertInstance(db, { status: "spawning" }), registry.spawn));
      } catch (error) {
        refusals.push(String(error));
      }
    clearInterval(refills);
    rmSync(filler);
    const said = readFileSync(join(folder, "worker.log"), "utf8");
    if (refusals.length > 0 && !/SQLITE_FULL|disk is full|no space left|ENOSPC|free space/i.test(said))
      violations.push("the worker said nothing of the full disk in its log");

    const until = Date.now() + 180_000;
    const retried = new Set<string>();
    while (!acknowledged.every((id) => isSettled(id)) && Date.now() < until) await wait(50);
    function isSettled(id: string): boolean {
      const { state, failure, mutating } = operationOf(db, id);
      if (state !== "failed" || retried.has(id)) return state !== "running";
      // A failure that Joe has to press Retry for is allowed when it says why.
      const words = `${failure?.userMessage} ${failure?.detail}`;
      if (!/disk|space|full/i.test(failure?.userMessage ?? ""))
        violations.push(`it failed without saying why: ${words}`);
      retried.add(id);
      if (mutating) retryOperation(engine, id, "joe@intranet.localhost");
      return false;
    }
    const rows = new Set(
      db
        .select()
        .from(operations)
        .all()
        .map(({ id }) => id),
    );
    for (const id of acknowledged)
      if (!rows.has(id)) violations.push(`${id} was acknowledged and is lost`);
      else if (operationOf(db, id).state !== "done")
        violations.push(`7: there is room again, and ${whereIs(db, id)}`);
    violations.push(...(await world.broken()));
  } finally {
    await supervised.stop();
  }
  return { violations, kills: 0 };
}

/** Takes what room is left, to the last byte. */
function fill(file: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  const handle = openSync(file, "a");
  try {
    for (let bytes = 1024 * 1024; bytes >= 1; )
      try {
        if (writeSync(handle, Buffer.alloc(bytes)) < bytes) bytes = Math.floor(bytes / 2);
      } catch {
        bytes = Math.floor(bytes / 2);
      }
  } finally {
    closeSync(handle);
  }
}

/** Starts the worker again whenever it ends, as the Spawner's supervisor does. */
function superviseWorker(world: World): { stop: () => Promise<void> } {
  let isStopping = false;
  let worker: Running = world.startWorker("worker");
  const watching = (async () => {
    while (!isStopping) {
      await Promise.race([worker.ended, wait(50)]);
      if (!worker.hasEnded() || isStopping) continue;
      await wait(200);
      if (!isStopping) worker = world.startWorker("worker");
    }
  })();
  return {
    async stop() {
      isStopping = true;
      await watching;
      await endWorker(worker);
    },
  };
}
