import { z } from "zod";
import { openVariables } from "#server/instances/variables.ts";
import { unpackLines } from "#server/operations/packedLogs.ts";
import type { CloudWatcher, SimDroplet } from "./cloud.ts";
import type { Post } from "./disk.ts";
import { postsOn, treeOf } from "./disk.ts";
import type { Ledger } from "./ledger.ts";
import { domain } from "./people.ts";
import { taskNames } from "./playbooks.ts";
import { variablesKey, type World } from "./spawner.ts";

/**
 * The rules that hold whatever happens. Those about data are asked at the moment something disappears; those about an
 * operation when it ends; the rest when everything is quiet.
 */

/** Where records of somebody else lead: they are not ours to change. */
export const foreignAddress = "198.51.100.7";
const tagPrefix = "spawner-instance-";
/** Whose intranet a droplet is; undefined for a throwaway. */
export const instanceOf = (droplet: SimDroplet): string | undefined =>
  droplet.tags.find((tag) => tag.startsWith(tagPrefix))?.slice(tagPrefix.length);

const operationTagOf = (droplet: SimDroplet): string | undefined =>
  droplet.tags.find((tag) => tag.startsWith("spawner-op-"));

const observed = z.object({ state: z.string().optional(), kind: z.string().optional() });
type InstanceFields = {
  id: string;
  slug: string;
  company: string;
  domain: string;
  version: string;
  size: string;
  status: string;
  variable_set: number;
  droplet_id: number | null;
  ip_address: string | null;
  destroyed_at: number | null;
  snapshot_id: number | null;
};
type OperationFields = {
  id: string;
  kind: string;
  state: string;
  instance_id: string;
  facts: string;
  mutating: 0 | 1;
  status_before: string;
  cancel_requested_at: number | null;
};

/** Operations that end with an instance as it was, when they are cancelled. */
const leavesAsItWas = new Set([
  "backup",
  "restore",
  "upgrade",
  "edit-variables",
  "rename",
  "change-address",
  "resize",
  "restart",
  "power-off",
  "power-on",
]);
/** Operations whose Cancel gives up the droplet they bought, and what was posted there. */
const givesUpDroplet = new Set(["spawn", "restore-as-new", "bring-back"]);
/** Operations after whose Cancel none of the droplets that they bought is left. */
const leavesNoDroplet = new Set([...givesUpDroplet, "test-restore"]);

/** Tasks after which there is something to go back from. */
const changesIntranet = new Set<string>([taskNames.swap, taskNames.software]);

export function createRules(
  world: World,
  /** No fault of this life may fail anything: each has to be waited for or got round. */
  isHarmless: boolean,
  ledger: Ledger,
  broken: (rule: string, what: string) => void,
  tell: (line: string) => void,
): Rules {
  const { connection, cloud, store, machine } = world;
  const one = connection.prepare<[string], InstanceFields>("select * from instances where id = ?");
  const all = connection.prepare<[], InstanceFields>("select * from instances");
  const operation = connection.prepare<[string], OperationFields>("select * from operations where id = ?");
  const liveOf = connection.prepare<[string], OperationFields>(
    "select * from operations where instance_id = ? and mutating = 1 and state in ('running', 'cancelling')",
  );
  const newestOf = connection.prepare<[string], OperationFields>(
    "select * from operations where instance_id = ? and mutating = 1 order by sequence desc limit 1",
  );
  const newestResize = connection.prepare<[string], OperationFields>(
    "select * from operations where instance_id = ? and kind = 'resize' order by sequence desc limit 1",
  );
  const undoFailed = connection.prepare<[string], unknown>(
    "select 1 from steps where operation_id = ? and undo = 1 and state not in ('done', 'skipped')",
  );
  const liveCount = connection
    .prepare("select count(*) from operations where state in ('running', 'cancelling')")
    .pluck();
  const namesOfLive = connection
    .prepare(
      "select kind || ' ' || id || ' ' || state from operations where state in ('running', 'cancelling')",
    )
    .pluck();
  const unsent = connection.prepare("select count(*) from mail where sent_at is null").pluck();

  /** The posts that each intranet must show, as far as nobody but the Spawner has touched it. */
  const expected = new Map<string, Set<Post>>();
  const expectedOf = (instanceId: string) => {
    const known = expected.get(instanceId) ?? new Set<Post>();
    expected.set(instanceId, known);
    return known;
  };
  /** When data last took another's place, and what was posted since. */
  const sinceSwap = new Map<string, Post[]>();
  /**
   * What was there when a restore or an upgrade dumped it, by the operation: what its way back must bring back. What is
   * posted between the change and the way back is promised in a backup of its own only: see the ledger.
   */
  const wayBacks = new Map<string, { posts: ReadonlySet<Post>; isBack: boolean }>();
  /** Instances that somebody has changed at DigitalOcean, and when: how they are is not the Spawner's doing. */
  const tampered = new Map<string, number>();
  /** Instances whose way back got stuck: the next operation goes on with what is there. */
  const stuck = new Set<string>();
  const before = new Map<string, InstanceFields>();
  const beganAt = new Map<string, number>();
  /** Operations whose undo has begun: they never go forward again. */
  const undoing = new Set<string>();
  /** Whether a backup that was good is gone by the store's doing: what is in which is not known any more. */
  let hasStoreForgotten = false;
  /** What was in good backups that the store has forgotten. */
  const forgotten = new Set<Post>();
  const pending: { id: string; state: string | undefined; kind: string | undefined }[] = [];
  connection.function("observe", (id: unknown, data: unknown) => {
    const { state, kind } = observed.parse(JSON.parse(String(data)));
    pending.push({ id: String(id), state, kind });
    return null;
  });
  const good: string[] = [];
  connection.function("observe_good", (key: unknown) => {
    good.push(String(key));
    return null;
  });
  connection.exec(
    "create temp trigger called_good after update of state on backups when new.state = 'good' and old.state <> 'good' begin select observe_good(new.key); end",
  );
  connection.exec(
    "create temp trigger observed after insert on events when new.kind = 'operation' begin select observe(new.operation_id, new.data); end",
  );

  const dropletOf = (instanceId: string): SimDroplet | undefined => {
    const row = one.get(instanceId);
    const droplet = row?.droplet_id == null ? undefined : cloud.droplets.get(row.droplet_id);
    return droplet === undefined || droplet.isGone ? undefined : droplet;
  };

  function began({ instance_id, kind, id }: OperationFields): void {
    const row = one.get(instance_id);
    if (row !== undefined) before.set(id, row);
    beganAt.set(id, machine.timeline.now);
    if (newestOf.get(instance_id)?.id === id && stuck.delete(instance_id))
      expected.set(instance_id, new Set(dropletOf(instance_id)?.disk.data ?? []));
    tell(`${kind} ${id} begins for ${row?.slug}`);
    if (kind === "purge") ledger.waive(ledger.ofInstance(instance_id));
  }

  function ended(found: OperationFields): void {
    const { instance_id, kind, state, id, facts } = found;
    tell(`${kind} ${id} is ${state}`);
    if (state === "failed" && isHarmless) broken("what is harmless fails nothing", `${kind} ${id} failed`);
    const row = one.get(instance_id);
    if (row === undefined) return;
    if (state === "failed" && undoFailed.get(id) !== undefined) stuck.add(instance_id);
    else {
      if (newestOf.get(instance_id)?.id === id) stuck.delete(instance_id);
      wayBacks.delete(id);
    }
    const source = sourceOf(facts);
    if (state === "done" && (kind === "restore" || kind === "restore-as-new") && source !== undefined)
      expected.set(
        instance_id,
        new Set([...(store.postsOf(source.key) ?? []), ...(sinceSwap.get(instance_id) ?? [])]),
      );
    if (state === "done" && kind === "bring-back") {
      const droplet = dropletOf(instance_id);
      const missing = [...expectedOf(instance_id)].filter(
        (post) => !(droplet?.disk.data ?? []).includes(post) && !ledger.isWaived(post),
      );
      if (missing.length > 0 && !tampered.has(instance_id))
        broken("bring back brings everything", `${row.slug} lacks ${missing.join(", ")}`);
      expected.set(instance_id, new Set(droplet?.disk.data ?? []));
      // It makes everything anew, but for what somebody changes behind its back.
      if ((tampered.get(instance_id) ?? 0) < (beganAt.get(id) ?? 0)) tampered.delete(instance_id);
    }
    if (kind === "destroy" && state === "done" && row.droplet_id !== null)
      broken("destroy destroys", `${row.slug} still has droplet ${row.droplet_id}`);
    if (state === "cancelled" && leavesNoDroplet.has(kind))
      nothingIsLeft(found, ({ tags }) => tags.includes(`spawner-op-${id}`));
    if (state === "done" && kind === "destroy")
      nothingIsLeft(found, (droplet) => instanceOf(droplet) === instance_id);
    if (state === "failed" && found.cancel_requested_at !== null && undoFailed.get(id) === undefined)
      broken("cancel", `${kind} ${id} was cancelled, and has failed without a way back`);
    if (state === "done" && undoing.has(id)) broken("cancel", `${kind} ${id} was being undone, and is done`);
    if (state === "cancelled" && kind === "destroy") noSnapshotIsLeft(id);
    if (state !== "failed") nothingIsUnderWay(found, row.droplet_id);
    if (givesUpDroplet.has(kind) && state === "cancelled") {
      if (row.status !== "destroyed")
        broken("cancel", `${row.slug} is ${row.status} after its ${kind} was cancelled`);
    }
    const was = before.get(id);
    if (leavesAsItWas.has(kind) && state === "cancelled" && was !== undefined)
      for (const field of ["slug", "domain", "version", "size", "variable_set", "droplet_id"] as const)
        if (was[field] !== row[field])
          broken("cancel leaves it as it was", `${kind}: ${field} is ${row[field]}, was ${was[field]}`);
    atRest(instance_id);
  }

  /** The operation was to end these droplets: what costs money after it is nobody's any more. */
  function nothingIsLeft({ kind, id }: OperationFields, isOfIt: (droplet: SimDroplet) => boolean): void {
    for (const droplet of cloud.ours())
      if (isOfIt(droplet) && !droplet.isSentLate)
        broken("nothing is left that costs money", `droplet ${droplet.id} after ${kind} ${id}`);
  }

  function noSnapshotIsLeft(id: string): void {
    for (const { name } of cloud.snapshots.values())
      if (name.endsWith(`-final-${id}`))
        broken("nothing is left that costs money", `snapshot ${name} after its destroy was cancelled`);
  }

  /** What an operation asked of its droplet is over when it is: nothing changes behind the back of the next one. */
  function nothingIsUnderWay({ kind, state, id, mutating }: OperationFields, dropletId: number | null): void {
    // A restart says so itself: once it has begun it comes to its end.
    if (kind === "restart" && state === "cancelled") return;
    // One that leaves the instance alone asks nothing of its droplet: what is under way there is another one's, which may
    // run beside it.
    if (mutating === 0) return;
    for (const { dropletId: of, status, startedAt, type, isSentLate } of cloud.actions.values())
      if (of === dropletId && status === "in-progress" && !isSentLate && startedAt >= (beganAt.get(id) ?? 0))
        broken("nothing is under way", `a ${type} of droplet ${of} after ${kind} ${id}`);
  }

  /** What a restore has moved aside was in a good backup before. */
  function safetyBackup(droplet: SimDroplet, run: string, task: string): void {
    const [operationId = "", first = ""] = run.split("-");
    if (operation.get(operationId)?.kind !== "restore" || task !== taskNames.swap) return;
    if (hasStoreForgotten || first === "rescue" || first === "undo") return;
    const kept = [...droplet.disk.before].filter(([name]) => name.startsWith(operationId));
    const aside = new Set(kept.flatMap(([, posts]) => posts));
    for (const post of droplet.disk.data ?? []) aside.delete(post);
    const unsaved = ledger.missing({ droplet }).filter((post) => aside.has(post));
    if (unsaved.length > 0)
      broken("a safety backup comes first", `${run} moved ${unsaved.join(", ")} aside, in no backup`);
  }

  /** An older version may be unable to read what a newer one wrote: only an explicit upgrade may install it there. */
  function installed({ disk: { software = "", openedBy = "" } }: SimDroplet, run: string): void {
    const [operationId = "", step] = run.split("-");
    const isAskedFor = operation.get(operationId)?.kind === "upgrade" && step === "install";
    if (software < openedBy && !isAskedFor)
      broken("no older version opens the data", `${run} installs ${software} on data of ${openedBy}`);
  }

  /** A backup that is called good holds what its manifest says, where backups live. */
  function calledGood(key: string): void {
    const row = findBackup.get(key);
    const { tree } = contentsOf.parse(JSON.parse(row?.contents ?? "{}"));
    const posts = store.postsOf(key);
    // What the store forgets is not the Spawner's doing.
    if (store.objects.has(key) && (posts === undefined || treeOf(posts) !== tree))
      broken("a good backup is whole", `${key} is not what was dumped`);
  }

  /** What is expected of an instance follows its data: to the safety backup, to the other data, and back. */
  function followWayBack(instanceId: string, run: string, task: string): void {
    const [operationId = "", first = ""] = run.split("-");
    const isGoingBack = first === "rescue" || first === "undo";
    const kind = operation.get(operationId)?.kind;
    if (kind !== "restore" && kind !== "upgrade") return;
    const wayBack = wayBacks.get(operationId);
    if (wayBack === undefined) {
      if (task === taskNames.dump && !isGoingBack)
        wayBacks.set(operationId, { posts: new Set(expectedOf(instanceId)), isBack: true });
    } else if (!isGoingBack) {
      if (changesIntranet.has(task)) wayBack.isBack = false;
    } else if (task === taskNames.swap || (task === taskNames.back && !wayBack.isBack)) {
      // A dumped backup takes the data's place even where the change had not come far; `back` then finds nothing to do.
      expected.set(instanceId, new Set(wayBack.posts));
      wayBack.isBack = true;
    }
  }

  /** What an instance must be like while nothing is done with it. */
  function atRest(instanceId: string): void {
    const row = one.get(instanceId);
    if (row === undefined || tampered.has(instanceId) || liveOf.get(instanceId) !== undefined) return;
    if (row.status !== "running" && row.status !== "unreachable") return;
    const newest = newestOf.get(instanceId);
    if (newest?.state === "failed" && undoFailed.get(newest.id) !== undefined) return;
    const droplet = dropletOf(instanceId);
    if (droplet === undefined) return;
    const { disk } = droplet;
    const { kind = "", id = "" } = newest ?? {};
    const say = (what: string) =>
      broken("at rest", `${row.slug} after ${kind} ${id} (${newest?.state}): ${what}`);
    const missing = [...expectedOf(instanceId)].filter(
      (post) => !(disk.data ?? []).includes(post) && !ledger.isWaived(post),
    );
    if (missing.length > 0) {
      say(`${missing.join(", ")} are not in the live data`);
      for (const post of missing) expectedOf(instanceId).delete(post);
    }
    if (disk.software !== row.version) say(`it runs ${disk.software}, and should ${row.version}`);
    const url = `http://${row.slug}.${row.domain}`;
    const variables = openVariables(world.db, variablesKey, row.id, row.variable_set);
    const wrong = variables.filter(({ name, value }) => disk.environment?.variables[name] !== value);
    if (disk.environment?.variables.COMPANY !== row.company)
      say(`it shows the name ${disk.environment?.variables.COMPANY}, not ${row.company}`);
    if (wrong.length > 0) say(`its ${wrong.map(({ name }) => name).join(", ")} is not what was chosen`);
    if (disk.environment?.url !== url) say(`it believes to be at ${disk.environment?.url}`);
    // A resize whose rollback got stuck leaves the droplet at another size, or off. Later operations that are cancelled
    // before they touch it don't change that; Drift shows the size, and health the silence.
    const resize = newestResize.get(instanceId);
    const isResizeStuck = resize?.state === "failed" && undoFailed.get(resize.id) !== undefined;
    if (droplet.size !== row.size && !isResizeStuck) say(`its size is ${droplet.size}, not ${row.size}`);
    if (!disk.isStarted) say("the intranet is stopped");
    if (cloud.statusOf(droplet) === "off" && !isResizeStuck) say("its droplet is off");
    const addresses = cloud.resolve(`${row.slug}.${row.domain}`);
    if (!addresses.includes(droplet.address)) say(`its name leads to ${addresses.join(", ") || "nothing"}`);
  }

  const isPurging = (instanceId: string) => newestOf.get(instanceId)?.kind === "purge";

  const findBackup = connection.prepare<
    [string],
    { id: string; instance_id: string; state: string; contents: string | null }
  >("select id, instance_id, state, contents from backups where key = ?");
  const open = connection.prepare<[], OperationFields>(
    "select * from operations where state in ('running', 'cancelling', 'failed')",
  );
  const isInUse = (backupId: string) =>
    open.all().some((found) => {
      if (sourceOf(found.facts)?.id !== backupId) return false;
      if (found.state !== "failed") return true;
      return (
        newestOf.get(found.instance_id)?.id === found.id && one.get(found.instance_id)?.destroyed_at === null
      );
    });

  return {
    created(droplet) {
      tell(`DigitalOcean makes droplet ${droplet.id} ${droplet.tags.join(" ")}`);
      const tag = operationTagOf(droplet);
      const others = cloud.ours().filter((other) => other !== droplet && operationTagOf(other) === tag);
      for (const other of others)
        if (!droplet.isSentLate && !other.isSentLate)
          broken("one droplet each", `${droplet.id} is bought while ${other.id} is there (${tag})`);
    },
    destroying(droplet) {
      tell(`DigitalOcean destroys droplet ${droplet.id}`);
      if (!droplet.tags.includes("spawner")) broken("foreign", `droplet ${droplet.id} is not ours`);
      const owner = instanceOf(droplet);
      const running = owner === undefined ? undefined : liveOf.get(owner);
      if (owner !== undefined && running !== undefined && givesUpDroplet.has(running.kind))
        ledger.waive(ledger.missing({ droplet }).filter((post) => postsOn(droplet.disk).includes(post)));
      ledger.check(`droplet ${droplet.id} is destroyed`, { droplet });
    },
    snapshotRemoved(snapshot) {
      tell(`snapshot ${snapshot.name} is removed`);
      ledger.check(`snapshot ${snapshot.name} is removed`, { snapshot });
    },
    recordChanged(zone, was, now) {
      tell(`record ${was.name}.${zone} ${was.data} → ${now?.data ?? "removed"}`);
      if (was.data === foreignAddress) broken("foreign", `${was.name}.${zone} belongs to somebody else`);
    },
    backupRemoved(key) {
      tell(`the store removes ${key}`);
      const row = findBackup.get(key);
      if (row === undefined) return;
      if (isInUse(row.id)) broken("a backup in use stays", `${key} is the source of an operation`);
      if (row.state !== "good" && row.state !== "removing") return;
      // Retention took what nothing needs any more: what was in it alone goes with it, as the plan says.
      if (!isPurging(row.instance_id)) ledger.waive(ledger.missing({ key }));
    },
    backupForgotten(key) {
      tell(`the store forgets ${key}`);
      hasStoreForgotten = true;
      if (findBackup.get(key)?.state === "good")
        for (const post of store.postsOf(key) ?? []) forgotten.add(post);
      ledger.waive(ledger.missing({ key }));
    },
    diskChanged(droplet, run, task) {
      const owner = instanceOf(droplet);
      if (task === taskNames.software) installed(droplet, run);
      if (owner !== undefined) {
        if (task === taskNames.swap) sinceSwap.set(owner, []);
        followWayBack(owner, run, task);
        safetyBackup(droplet, run, task);
      }
      // A dump tidies up what earlier restores have set aside on the droplet, as each has a good backup of it. Nobody
      // promises to look whether the store still has what it was once read back from: what it has forgotten it has lost.
      if (task === taskNames.dump) ledger.waive(ledger.missing().filter((post) => forgotten.has(post)));
      ledger.check(task);
    },
    posted(instanceId, text) {
      expectedOf(instanceId).add(text);
      sinceSwap.get(instanceId)?.push(text);
    },
    deletedByHand(droplet) {
      if (droplet === undefined) return false;
      tell(`somebody deletes droplet ${droplet.id}`);
      ledger.waive(ledger.missing({ droplet }));
      const owner = instanceOf(droplet);
      if (owner !== undefined) {
        tampered.set(owner, machine.timeline.now);
        for (const post of expectedOf(owner)) if (ledger.isWaived(post)) expectedOf(owner).delete(post);
      }
      cloud.deleteByHand(droplet);
      return true;
    },
    editedByHand(chance) {
      const records = cloud.domains.get(domain) ?? [];
      const index = Math.floor(chance * records.length);
      const record = records[index];
      if (record === undefined || record.data === foreignAddress) return false;
      for (const row of all.all()) tampered.set(row.id, machine.timeline.now);
      tell(`somebody changes the record ${record.name}`);
      if (chance < 0.5) records.splice(index, 1);
      else record.data = "198.51.100.9";
      return true;
    },
    afterEach() {
      for (const key of good.splice(0)) calledGood(key);
      for (const { id, state, kind } of pending.splice(0)) {
        const found = operation.get(id);
        if (found === undefined) continue;
        if (state === "cancelling") undoing.add(id);
        if (kind !== undefined) began(found);
        else if (state !== undefined && ["done", "cancelled", "failed"].includes(state)) ended(found);
      }
    },
    isQuiet: () => liveCount.get() === 0 && (unsent.get() as number) === 0,
    whatIsLive: () => `${namesOfLive.all().join("; ")}, ${unsent.get()} mails unsent`,
    failedOperations() {
      return all.all().flatMap((row, index) => {
        const newest = newestOf.get(row.id);
        return newest?.state === "failed" ? [index] : [];
      });
    },
    atTheEnd() {
      ledger.check("at the end");
      for (const row of all.all()) atRest(row.id);
      orphans();
      books();
    },
  };

  /** Whatever costs money is known to a row, and nothing of ours leads nowhere. */
  function orphans(): void {
    const rows = all.all();
    const facts = connection
      .prepare<[], OperationFields>("select * from operations where mutating = 0")
      .all()
      .map((found) => dropletIn(found.facts));
    const known = new Set([...rows.map((row) => row.droplet_id), ...facts, ...drift("droplet")]);
    for (const droplet of cloud.ours())
      if (!known.has(droplet.id)) broken("nothing leaks", `droplet ${droplet.id} ${droplet.tags.join(" ")}`);
    const kept = new Set(
      (
        connection.prepare("select id from snapshots where removed_at is null").pluck().all() as number[]
      ).concat(drift("snapshot")),
    );
    for (const snapshot of cloud.snapshots.values())
      if (!kept.has(snapshot.id)) broken("nothing leaks", `snapshot ${snapshot.name}`);
    const addresses = new Set(cloud.ours().map(({ address }) => address));
    for (const record of cloud.domains.get(domain) ?? [])
      if (record.data.startsWith("203.") && !addresses.has(record.data) && tampered.size === 0)
        broken("nothing leaks", `record ${record.name} leads to ${record.data}, where nothing of ours is`);
    for (const row of rows)
      if (row.destroyed_at !== null && row.droplet_id !== null)
        broken("nothing leaks", `${row.slug} is destroyed and has droplet ${row.droplet_id}`);
    if (cloud.mostInAMinute() > 250)
      broken("within the limit", `${cloud.mostInAMinute()} requests in a minute`);
  }

  /** What the page Drift shows of this kind: somebody knows of it. */
  function drift(kind: "droplet" | "snapshot"): number[] {
    const id = `$.${kind}Id`;
    const found = connection.prepare<[string, string], number>(
      "select json_extract(finding, ?) from drift where json_extract(finding, '$.type') = ?",
    );
    return found.pluck().all(id, `orphaned-${kind}`);
  }

  /** What the books themselves say. */
  function books(): void {
    const count = (sql: string) => connection.prepare(sql).pluck().get() as number;
    if (count("select count(*) from wake_ups") > 0) broken("the queue is empty", "wake-ups are left");
    const ids = eventIds();
    if (new Set(ids).size !== ids.length || ids.length !== Math.max(0, ...ids))
      broken("events have no gap", "a gap");
    const twice = count(
      "select count(*) from (select 1 from mail group by operation_id, instance_id, kind, round, recipient having count(*) > 1)",
    );
    if (twice > 0) broken("one mail each", `${twice} were written twice`);
    const ready = count(
      "select count(*) from (select 1 from mail where kind = 'ready' group by operation_id, recipient having count(*) > 1)",
    );
    if (ready > 0) broken("one mail each", `${ready} operations were called ready twice`);
    const silent = count(
      `select count(*) from operations where state = 'failed' and created_by <> 'Spawner' and not exists
        (select 1 from mail where mail.operation_id = operations.id and mail.kind = 'failed' and mail.round = operations.round)`,
    );
    if (silent > 0) broken("a failure is told", `${silent} operations failed and nobody was written to`);
    const unready = count(
      `select count(*) from operations where state = 'done' and kind in ('spawn', 'bring-back', 'restore-as-new')
        and not exists (select 1 from mail where mail.operation_id = operations.id and mail.kind = 'ready')`,
    );
    if (unready > 0) broken("a success is told", `${unready} instances are ready and nobody was written to`);
    const letters = connection
      .prepare<[string, string], number>("select count(*) from mail where recipient = ? and text = ?")
      .pluck();
    const { delivered } = world.post;
    for (const { to, text } of delivered) {
      const times = delivered.filter((one) => one.to === to && one.text === text).length;
      if (times > (letters.get(to, text) ?? 0)) broken("one mail each", `${to} got ${times} times: ${text}`);
    }
    secrets("s3cret-of-");
  }

  /** Of all events there ever were, also of those whose lines are packed. */
  function eventIds(): number[] {
    const ids = connection.prepare<[], number>("select id from events").pluck().all();
    return [...ids, ...packedLines().map(({ id }) => id)];
  }
  function packedLines() {
    const parts = connection.prepare<[], Buffer>("select data from packed_logs").pluck().all();
    return parts.flatMap(unpackLines);
  }

  function secrets(secret: string): void {
    if (packedLines().some(({ text }) => text.includes(secret)))
      broken("secrets stay secret", `a packed log holds ${secret}`);
    for (const [table, columns] of places)
      for (const column of columns) {
        const found = connection
          .prepare(`select count(*) from ${table} where instr(${column}, ?) > 0`)
          .pluck()
          .get(secret) as number;
        if (found > 0) broken("secrets stay secret", `${table}.${column} holds ${secret}`);
      }
  }
}

const places: [string, string[]][] = [
  ["events", ["data"]],
  ["operations", ["facts", "failure"]],
  ["steps", ["progress", "failure"]],
  ["mail", ["subject", "html", "text", "failure"]],
  ["audit", ["what"]],
  ["backups", ["contents", "restore_test_failure"]],
];

const factsWithSource = z.object({ source: z.object({ id: z.string(), key: z.string() }).optional() });
function sourceOf(facts: string) {
  return factsWithSource.safeParse(JSON.parse(facts)).data?.source;
}
const factsWithDroplet = z.object({ dropletId: z.number().optional() });
function dropletIn(facts: string): number | null {
  return factsWithDroplet.safeParse(JSON.parse(facts)).data?.dropletId ?? null;
}

const contentsOf = z.object({ tree: z.string().optional() });

export type Rules = Pick<CloudWatcher, "created" | "destroying" | "snapshotRemoved" | "recordChanged"> & {
  backupRemoved: (key: string) => void;
  backupForgotten: (key: string) => void;
  diskChanged: (droplet: SimDroplet, run: string, task: string) => void;
  posted: (instanceId: string, text: Post) => void;
  deletedByHand: (droplet: SimDroplet | undefined) => boolean;
  editedByHand: (chance: number) => boolean;
  afterEach: () => void;
  isQuiet: () => boolean;
  whatIsLive: () => string;
  failedOperations: () => number[];
  atTheEnd: () => void;
};
