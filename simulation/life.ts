import type { Env } from "#server/env.ts";
import { setRandomSource } from "#server/ids.ts";
import { setReportOutput } from "#server/report.ts";
import { createCloud } from "./cloud.ts";
import { databaseOf } from "./database.ts";
import { createFaults, type FaultKind, harmlessFaults } from "./faults.ts";
import { createIntranets } from "./intranet.ts";
import { createLedger } from "./ledger.ts";
import { createPost } from "./mail.ts";
import { createPeople, domain } from "./people.ts";
import type { Action, Happening, Plan } from "./plan.ts";
import { createPlaybooks } from "./playbooks.ts";
import type { Machine } from "./process.ts";
import { createQueue } from "./queue.ts";
import { createRandom } from "./random.ts";
import { createRules, foreignAddress, instanceOf } from "./rules.ts";
import { createSettling, settleMs } from "./settling.ts";
import { startWorker, type World, workersOf } from "./spawner.ts";
import { createStore, createTransfers } from "./store.ts";
import { Timeline } from "./timeline.ts";

type Violation = { rule: string; what: string; at: number };
export type LifeResult = {
  violations: Violation[];
  fired: ReadonlyMap<FaultKind, number>;
  /** The plan with each click narrowed to what it turned out to be: what a shorter history is made of. */
  resolved: Plan;
  story: string[];
};

/** Short pages, so that a fleet of a few droplets has several. */
const pageSize = 1;
/** After the faults everything must have ended within this time. */
const calmWithinMs = 8 * 3_600_000;
/** Many times what happens in a full life: one with more runs in circles. */
const mostEntries = 50_000;

/**
 * Lives one life from its plan: the same plan is the same life, on every machine. `untilBroken`: the first rule that
 * breaks is all that matters.
 */
export async function live(
  plan: Plan,
  template: Buffer,
  env: Env,
  isTold = false,
  untilBroken = false,
): Promise<LifeResult> {
  const random = createRandom(`${plan.seed}/life`);
  setRandomSource(random.bytes);
  const timeline = new Timeline(mostEntries);
  const machine: Machine = {
    timeline,
    random,
    wall: { base: plan.begins, shift: 0 },
    hasStrangersToken: false,
  };
  const faults = createFaults(timeline);
  const { db, connect } = databaseOf(template);
  const connection = connect();
  const story: string[] = [];
  const tell = (line: string) => {
    if (isTold) story.push(`${clockOf(timeline.now)} ${line}`);
  };
  setReportOutput((line) => tell(`(report) ${line.trim().split("\n")[0]?.slice(25)}`));
  const violations: Violation[] = [];
  const broken = (rule: string, what: string) => {
    tell(`✗ ${rule}: ${what}`);
    violations.push({ rule, what, at: timeline.now });
  };

  const cloud = createCloud(
    machine,
    faults,
    {
      created: (droplet) => rules.created(droplet),
      destroying: (droplet) => rules.destroying(droplet),
      snapshotRemoved: (snapshot) => rules.snapshotRemoved(snapshot),
      recordChanged: (zone, before, after) => rules.recordChanged(zone, before, after),
    },
    pageSize,
  );
  const intranets = createIntranets(cloud, faults);
  const playbooks = createPlaybooks(machine, faults, cloud, intranets, {
    overlap: (running, begun) => broken("one playbook at a time", `${begun} begins while ${running} runs`),
    task: (droplet, run, task) => {
      tell(`  ${run}: ${task}`);
      rules.diskChanged(droplet, run, task);
    },
  });
  const store = createStore(
    machine,
    faults,
    {
      removing: (key) => rules.backupRemoved(key),
      forgot: (key) => rules.backupForgotten(key),
    },
    plan.storingMs,
  );
  const world: World = {
    ...{ machine, faults, db, connection, cloud, intranets, playbooks, store, tell },
    transferFor: createTransfers(machine, faults, cloud),
    post: createPost(machine, faults),
    queue: createQueue(machine, faults),
    keepDestroyedMs: plan.keepDestroyedMs,
  };
  const people = createPeople(world, env);
  const ledger = createLedger({ cloud, store, connection, broken });
  const rules = createRules(world, isHarmless(plan), ledger, broken, tell);
  const settling = createSettling(world, people, rules);
  timeline.afterEach = rules.afterEach;

  for (let number = 1; number <= plan.workers; number += 1) startWorker(world, number);
  if (plan.happenings.some((one) => one.what === "fault" && one.kind === "daylight-saving"))
    faults.count("daylight-saving");
  const resolved: Happening[] = [];
  let postCount = 0;

  const alive = () => workersOf(world).filter(({ process }) => process.isAlive && !process.isStopped);
  const chore = (
    everyMs: [number, number],
    work: (worker: ReturnType<typeof alive>[number]) => Promise<void>,
  ) => {
    timeline.push(random.int(...everyMs), () => {
      const worker = alive()[0];
      if (worker !== undefined)
        worker.process.deliver(
          () => void work(worker).catch((error: unknown) => tell(`a chore failed: ${error}`)),
        );
      chore(everyMs, work);
    });
  };
  chore([60_000, 8 * 60_000], async (worker) => {
    const began = timeline.now;
    await worker.maintain();
    settling.maintained(began);
  });
  chore([4 * 60_000, 12 * 60_000], async (worker) => {
    await worker.lookAtAll();
    settling.lookedAtAll();
  });

  function happen(happening: Happening): void {
    if (happening.what === "click") {
      const { choice, chance, times } = happening;
      void people.click(choice, chance, times).then(
        (pressed) => {
          if (pressed === undefined) return;
          tell(`somebody presses ${pressed}${times > 1 ? " twice" : ""}`);
          resolved.push({ ...happening, choice: [pressed] });
        },
        (error: unknown) => tell(`a click failed: ${error}`),
      );
      return;
    }
    resolved.push(happening);
    if (happening.what === "post") post(happening.chance);
    else strike(happening);
  }

  function post(chance: number): void {
    const rows = people.instances();
    const row = rows[Math.floor(chance * rows.length)];
    if (row === undefined) return;
    postCount += 1;
    const text = `post-${postCount}`;
    const url = `http://${row.slug}.${row.domain}`;
    const droplet = intranets.answering(url);
    const owner = droplet === undefined ? undefined : instanceOf(droplet);
    if (owner === undefined || !intranets.post(url, text)) return;
    tell(`somebody posts ${text} at ${url}`);
    ledger.acknowledge(text, owner);
    rules.posted(owner, text);
  }

  const ours = () => cloud.ours();
  function strike({ kind, chance, times, lastsMs }: Extract<Happening, { what: "fault" }>): void {
    const pickOne = <Item>(items: readonly Item[]): Item | undefined =>
      items[Math.floor(chance * items.length)];
    tell(`⚡ ${kind} × ${times} within ${Math.round(lastsMs / 1000)} s`);
    const atOnce: Partial<Record<FaultKind, () => boolean>> = {
      "droplet-deleted-by-hand": () => rules.deletedByHand(pickOne(ours())),
      "record-edited-by-hand": () => rules.editedByHand(chance),
      "foreign-record": () => {
        const records = cloud.domains.get(domain);
        const name = pickOne(["acme1-moved", "acme2", "copy2", "acme1"]) ?? "";
        if (records === undefined || records.some((one) => one.name === name)) return false;
        records.push({ id: cloud.newId(), type: "A", name, data: foreignAddress, ttl: 300 });
        return true;
      },
      "worker-killed": () => {
        const worker = pickOne(alive());
        worker?.die("killed");
        return worker !== undefined;
      },
      "worker-stopped": () => {
        pickOne(alive())?.process.stopFor(2000 + chance * 60_000);
        return false;
      },
      "machine-restarted": () => {
        for (const worker of alive()) worker.die("the machine restarts");
        playbooks.loseAll();
        return true;
      },
      "queue-down": () => {
        if (chance < 0.3) world.queue.forgetAll();
        return false;
      },
      "clock-forward": () => {
        machine.wall.shift += 3_600_000;
        return true;
      },
      "clock-back": () => {
        machine.wall.shift -= 3_600_000;
        return true;
      },
      "wrong-account": () => {
        changeToken(true);
        timeline.push(lastsMs + 1, () => {
          if (!faults.isArmed("wrong-account")) changeToken(false);
        });
        return true;
      },
      "disk-full": () => {
        connection.pragma(`max_page_count = ${connection.pragma("page_count", { simple: true })}`);
        timeline.push(5000 + chance * 60_000, () => connection.pragma("max_page_count = 1000000"));
        return true;
      },
      "version-broken": () => {
        playbooks.broken.add("2.13.0");
        timeline.push(lastsMs, () => playbooks.broken.clear());
        return true;
      },
    };
    const hasStruck = atOnce[kind]?.() ?? false;
    if (hasStruck) faults.count(kind);
    faults.arm(kind, times, lastsMs);
  }

  /** Somebody puts another token into the configuration and starts the Spawner again. */
  function changeToken(hasStrangersToken: boolean): void {
    if (machine.hasStrangersToken === hasStrangersToken) return;
    machine.hasStrangersToken = hasStrangersToken;
    people.process.isStrangers = hasStrangersToken;
    for (const worker of workersOf(world))
      worker.die(hasStrangersToken ? "another team's token is put in" : "our token is put in again");
  }

  const crash = (error: unknown) => broken("no crash", String(error instanceof Error ? error.stack : error));
  process.on("unhandledRejection", crash);
  try {
    for (const happening of plan.happenings) timeline.push(happening.at, () => happen(happening));
    const isDecided = () => untilBroken && violations.length > 0;
    await timeline.run(plan.calmAt, isDecided);
    tell("— the faults are over —");
    faults.end();
    changeToken(false);
    playbooks.broken.clear();
    connection.pragma("max_page_count = 1000000");
    for (let round = 0; ; round += 1) {
      await timeline.run(timeline.now + calmWithinMs, () => isDecided() || rules.isQuiet());
      if (!rules.isQuiet()) broken("everything ends", rules.whatIsLive());
      const open = rules.failedOperations();
      if (open.length === 0 || round === 2 || violations.length > 0) break;
      for (const [index, id] of open.entries()) await settle(id, random.next(), index);
    }
    // What follows a broken rule proves nothing more.
    if (violations.length === 0) {
      settling.begin();
      await timeline.run(timeline.now + settleMs, settling.isSettled);
      timeline.push(1000, () => {
        for (const pressed of people.putRight()) tell(`Joe presses ${pressed}`);
      });
      await timeline.run(timeline.now + 1000);
      await timeline.run(timeline.now + settleMs, settling.isSettled);
      await timeline.run(timeline.now + calmWithinMs, () => rules.isQuiet());
      if (timeline.isSpent) broken("nothing runs in circles", rules.whatIsLive());
      rules.atTheEnd();
    }
  } finally {
    process.off("unhandledRejection", crash);
    connection.close();
  }

  /** What Joe does about something that has failed, once he looks. */
  async function settle(instanceIndex: number, chance: number, index: number): Promise<void> {
    const choices: Action[][] = [["retry"], ["cancel", "retry"], ["destroy", "retry"]];
    const choice = choices[Math.floor(chance * 3)] ?? ["retry"];
    const count = people.instances().length;
    timeline.push(1000 + index, () => {
      void people
        .click(choice, (instanceIndex + 0.5) / count, 1)
        .then((pressed) => tell(`Joe presses ${pressed}`));
    });
  }

  return { violations, fired: faults.fired, resolved: { ...plan, happenings: resolved }, story };
}

const isHarmless = ({ happenings }: Plan): boolean =>
  happenings.every((one) => one.what !== "fault" || harmlessFaults.has(one.kind));

function clockOf(ms: number): string {
  const seconds = (ms / 1000).toFixed(1);
  return `${seconds.padStart(9)} s`;
}
