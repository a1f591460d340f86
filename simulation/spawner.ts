import { createSecretKey } from "node:crypto";
import type { Database } from "better-sqlite3";
import type { Db } from "#db/client.ts";
import { lookAtAll, newHealthMemory } from "#server/instances/health.ts";
import { openVariables } from "#server/instances/variables.ts";
import { type Mailbox, sendDueMail, type Templates } from "#server/mail/sender.ts";
import { runMaintenance } from "#server/maintenance/maintenance.ts";
import { advance } from "#server/operations/engine/advance.ts";
import type { Engine } from "#server/operations/engine/engine.ts";
import { createWorker } from "#server/operations/engine/lease.ts";
import { createWaker } from "#server/operations/engine/wakeUps.ts";
import { registry } from "#server/operations/registry.ts";
import { budgetShares } from "#server/providers/digitalocean/budget.ts";
import { createDigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import { createRequestLedger } from "#server/requestLedger.ts";
import type { Cloud } from "./cloud.ts";
import type { Faults } from "./faults.ts";
import type { Intranets } from "./intranet.ts";
import type { createPost } from "./mail.ts";
import type { Playbooks } from "./playbooks.ts";
import { type Machine, Process } from "./process.ts";
import type { Queue } from "./queue.ts";
import { type createTransfers, type Store, verifyStored } from "./store.ts";

/** Everything outside, as one life has it. */
export type World = {
  machine: Machine;
  faults: Faults;
  db: Db;
  connection: Database;
  cloud: Cloud;
  intranets: Intranets;
  playbooks: Playbooks;
  store: Store;
  transferFor: ReturnType<typeof createTransfers>;
  post: ReturnType<typeof createPost>;
  queue: Queue;
  keepDestroyedMs: number;
  tell: (line: string) => void;
};

export const variablesKey = createSecretKey(Buffer.alloc(32, 7));
export const token = "dop_v1_simulated";

const urlOf = ({ slug, domain }: { slug: string; domain: string }) => `http://${slug}.${domain}`;

const asItIs = async (about: object) => {
  const text = JSON.stringify(about);
  return { subject: text, html: text, text };
};
/** Mail that says what it would say, without a design. */
const templates: Templates = { ready: asItIs, failed: asItIs, stale: asItIs, orphan: asItIs };

/** The queue's client of a process. */
export function wakerOf(world: World, process: Process) {
  const add = world.queue.addJobFor(process);
  return createWaker(world.db, process.clock, (_task, { operationId }, spec) =>
    add(operationId, spec?.runAt),
  );
}

const workers = new WeakMap<World, Map<number, Worker>>();

/** The worker processes that there are now. */
export const workersOf = (world: World): Worker[] => [...(workers.get(world)?.values() ?? [])];

/** One worker process, from its start until it is killed: then another one takes its place. */
export function startWorker(world: World, number: number): Worker {
  const { machine, db, connection, queue, tell } = world;
  const name = `worker ${number}`;
  const process = new Process(machine, name);
  const { timeline, random } = machine;

  const worker: Worker = {
    process,
    die(why) {
      if (!process.isAlive) return;
      tell(`${name} ends: ${why}`);
      process.kill();
      timeline.push(random.int(300, 3000), () => startWorker(world, number));
    },
    maintain: () => runMaintenance(engine),
    lookAtAll: () => lookAtAll(engine, health),
  };
  const others = workers.get(world) ?? new Map<number, Worker>();
  workers.set(world, others.set(number, worker));
  process.onCrash = (error) => worker.die(String(error));
  process.dieInCall = () => worker.die("killed while a call was under way");
  const health = newHealthMemory();

  const engine: Engine = {
    ...process.clock,
    db,
    registry: registry,
    providers: {
      digitalocean: createDigitalOcean({
        token,
        apiUrl: "https://api",
        random: random.next,
        ...process.clock,
        ledger: createRequestLedger(db, process.clock),
        budgetShare: budgetShares.worker,
        fetch: world.cloud.fetchFor(process),
      }),
      playbooks: world.playbooks.runnerFor(process),
      backups: world.store.storeFor(process),
      transfer: world.transferFor(process),
      verifyArchive: verifyStored,
      probe: world.intranets.probeFor(process),
      scanHostKey: ({ address }) =>
        process.call(() => {
          const droplet = world.cloud.dropletAt(address);
          if (
            droplet === undefined ||
            !world.cloud.isReachable(droplet) ||
            world.faults.strikes("ssh-refused")
          )
            return undefined;
          return droplet.hostKey;
        }),
    },
    site: {
      runtime: "local",
      scheme: "http",
      port: undefined,
      sshPort: 22,
      webPort: 80,
      image: "intranet/meteor",
      releasesUrl: "http://releases",
      privateKeyFile: "/key",
      publicKey: "ssh-ed25519 OURS",
      keyName: "spawner",
    },
    random: random.next,
    worker: createWorker(),
    slots: { playbooks: 3, transfers: 3 },
    keepDestroyedMs: world.keepDestroyedMs,
    // Sooner than an installation would: within a life.
    keepLogsMs: 10 * 60_000,
    openVariables: (instance, set) => openVariables(db, variablesKey, instance.id, set),
    urlOf,
    wake: (operationId) => waker.wake(operationId),
  };
  const mailbox: Mailbox = {
    ...{ ...process.clock, db, urlOf, templates, dashboardUrl: "http://spawner" },
    mailer: world.post.mailerFor(process),
  };
  let isSending = false;
  const sendMail = (): void => {
    if (isSending) return;
    isSending = true;
    sendDueMail(mailbox)
      .catch((error: unknown) => tell(`${name}: the mail could not be read: ${error}`))
      .finally(() => {
        isSending = false;
      });
  };
  const waker = wakerOf(world, process);
  waker.sweep(-1);

  const overdue = connection
    .prepare("select exists (select 1 from wake_ups where sent_at is null or due_at < ?)")
    .pluck();
  const unsent = connection
    .prepare("select exists (select 1 from mail where sent_at is null and abandoned_at is null)")
    .pluck();
  const isLive = connection.prepare("select exists (select 1 from wake_ups)").pluck();
  const beat = (): void => {
    if (unsent.get() === 1) sendMail();
    if (overdue.get(process.clock.monotonic() - 3000) === 1) waker.sweep(3000);
    process.clock.after(isLive.get() === 1 ? 2000 : 15_000, beat);
  };
  process.clock.after(2000, beat);
  queue.join({
    process,
    advance: (operationId) => {
      advance(engine, operationId).catch((error: unknown) => tell(`${name}: a job threw ${error}`));
    },
  });
  return worker;
}

export type Worker = {
  process: Process;
  die: (why: string) => void;
  maintain: () => Promise<void>;
  lookAtAll: () => Promise<void>;
};
