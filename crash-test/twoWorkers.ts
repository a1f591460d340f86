import { spawnSync } from "node:child_process";
import { z } from "zod";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";
import { leaseMs } from "#server/operations/engine/lease.ts";
import { registry } from "#server/operations/registry.ts";
import { begin, insertInstance } from "#server/operations/testing/testEngine.ts";
import { readEntries, writePlan } from "./plan.ts";
import { descendantsOf, signal, wait } from "./processes.ts";
import { type Story, tell } from "./story.ts";
import { createWorld, operationOf, type World, whereIs } from "./world.ts";

/** A process id namespace each: both have the same ids, and neither sees the other's processes. */
const namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
/** The first process of a namespace cannot stop or kill itself: a shell takes its place. */
const inNamespace = [...namespace, "sh", "-c", '"$@" & wait "$!"', "sh"];

export type Meeting = { step: string; moment: string; signal: "SIGKILL" | "SIGSTOP" };

/** Where the loss of a worker is most expensive: about to buy, having bought, about to begin a playbook, about to write. */
export const meetings: readonly Meeting[] = [
  { step: "create-droplet", moment: "before", signal: "SIGKILL" },
  { step: "create-droplet", moment: "before", signal: "SIGSTOP" },
  { step: "create-droplet", moment: "intent", signal: "SIGSTOP" },
  { step: "create-droplet", moment: "after", signal: "SIGSTOP" },
  { step: "create-dns", moment: "before", signal: "SIGSTOP" },
  { step: "provision", moment: "before", signal: "SIGSTOP" },
  { step: "email", moment: "before", signal: "SIGSTOP" },
];

const spawns = 3;

/**
 * Two workers on the same SQLite and PostgreSQL, each in a process id namespace of its own as in two containers. One is
 * killed, or stopped until its lease is long over and its step is done by the other one, and then goes on with what it
 * was about to do. Nothing may be bought or sent twice, and everything ends.
 */
export const twoWorkers = (meeting: Meeting, postgresUrl: string): Promise<Story> =>
  tell(`two workers: ${meeting.signal} ${meeting.moment} ${meeting.step}`, async () => {
    const tried = spawnSync(namespace[0] ?? "", [...namespace.slice(1), "true"], { encoding: "utf8" });
    if (tried.status !== 0)
      return { skipped: `a process id namespace is refused: ${tried.error?.message ?? tried.stderr.trim()}` };
    const world = await createWorld({ postgresUrl });
    try {
      return await meet(world, meeting);
    } finally {
      await world.close();
    }
  });

async function meet(world: World, { step, moment, signal: how }: Meeting) {
  const { engine, db, folder } = world;
  const ids = Array.from({ length: spawns }, () =>
    begin(engine, insertInstance(db, { status: "spawning" }), registry.spawn),
  );
  const path = "two workers";
  writePlan(folder, {
    ...{ seed: 1, share: 0, signal: how, at: `spawn | ${path} | ${step} | ${moment}` },
    lives: Object.fromEntries(ids.map((id) => [id, { path }])),
  });
  const workers = new Map(["a", "b"].map((name) => [name, world.startWorker(name, { under: inNamespace })]));
  const violations: string[] = [];
  try {
    // A lease for the one that was lost, one more for an unclear create, and what the spawns take.
    const until = Date.now() + 2 * leaseMs + 120_000;
    const isOver = () => ids.every((id) => operationOf(db, id).state !== "running");
    while (!isOver() && Date.now() < until) await wait(50);
    if (!isOver()) violations.push("7: the other worker has not brought everything to its end");
    const lost = readEntries(folder).find(({ what }) => what === "kill");
    if (lost === undefined) violations.push("no worker has come to the boundary");
    else if (how === "SIGSTOP") {
      const stopped = workers.get(lost.worker);
      for (const pid of descendantsOf(stopped?.pid ?? 0)) signal(pid, "SIGCONT");
      // What it was about to do it does at once; its heartbeat would tell it after a quarter of a lease.
      await wait(leaseMs / 4 + 1000);
    }
    violations.push(...(await world.broken()));
    const { counts } = z
      .object({ counts: z.record(z.string(), z.number()) })
      .parse(await (await fetch(`${world.cloudUrl}/_requests`, { headers: testAuthorization })).json());
    const bought = counts["POST /v2/droplets"] ?? 0;
    if (bought !== spawns) violations.push(`2: ${bought} droplets were bought for ${spawns} spawns`);
    for (const id of ids) {
      if (operationOf(db, id).state !== "done") violations.push(`7: ${whereIs(db, id)}`);
    }
  } finally {
    for (const worker of workers.values()) await worker.kill();
  }
  return { violations, kills: 1 };
}
