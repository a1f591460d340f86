import { and, asc, eq, isNotNull, isNull } from "drizzle-orm";
import { z } from "zod";
import type { Db } from "#db/client.ts";
import {
  aliases,
  backups,
  events,
  instances,
  mail,
  operations,
  packedLogs,
  snapshots,
  steps,
} from "#db/schema.ts";
import { unpackLines } from "#server/operations/packedLogs.ts";

const droplets = z.object({ droplets: z.array(z.object({ id: z.number(), tags: z.array(z.string()) })) });
const snapshotList = z.object({ snapshots: z.array(z.object({ id: z.coerce.number(), name: z.string() })) });
const records = z.object({
  domain_records: z.array(z.object({ name: z.string(), type: z.string(), data: z.string() })).optional(),
});
const stateOf = z.object({ state: z.string() });

export type World = {
  db: Db;
  /** What the cloud answers to a GET of this path below /v2/. */
  ask: (path: string) => Promise<unknown>;
  /** Whether the place where backups live has this object. */
  isStored: (key: string) => Promise<boolean>;
};

/**
 * The rules that hold whatever happened, asked of what SQLite says and of what the cloud really has, once nothing is
 * under way: one sentence for each that is broken. Lists of the cloud lag, so that a sentence may need a second look.
 */
export async function brokenRules(world: World): Promise<string[]> {
  const [droplet, record, kept] = await Promise.all([
    dropletRules(world),
    recordRules(world),
    keepingRules(world),
  ]);
  return [...droplet, ...record, ...kept, ...bookRules(world.db)];
}

/** 1, 2, 3 and 11: every droplet of ours belongs to one row, and no two to the same instance or operation. */
async function dropletRules({ db, ask }: World): Promise<string[]> {
  const broken: string[] = [];
  const real = droplets.parse(await ask("droplets?tag_name=spawner&per_page=200")).droplets;
  const rows = db.select().from(instances).all();
  const others = db.select().from(operations).where(eq(operations.mutating, false)).all();
  const seen = new Map<string, number>();
  for (const { id, tags } of real) {
    const owners = [
      ...rows.filter((row) => row.dropletId === id).map((row) => row.company),
      ...others.filter((row) => row.facts.dropletId === id).map((row) => row.id),
    ];
    if (owners.length !== 1)
      broken.push(`1: droplet ${id} (${tags.join(" ")}) belongs to ${owners.length} rows`);
    for (const tag of tags.filter((one) => /^spawner-(instance|op)-/.test(one))) {
      if (seen.has(tag)) broken.push(`2, 3: droplets ${seen.get(tag)} and ${id} both bear ${tag}`);
      seen.set(tag, id);
    }
  }
  for (const { dropletId, company } of rows)
    if (dropletId !== null && !real.some((one) => one.id === dropletId))
      broken.push(`1: ${company} says it has droplet ${dropletId}, which is not there`);
  return broken;
}

/** 4: a record leads to its instance's droplet and to nothing else. */
async function recordRules({ db, ask }: World): Promise<string[]> {
  const rows = db.select().from(instances).where(isNull(instances.destroyedAt)).all();
  const names = new Map<string, string | null>();
  const byId = new Map(rows.map((row) => [row.id, row]));
  for (const row of rows) names.set(`${row.slug}.${row.domain}`, row.ipAddress);
  for (const alias of db.select().from(aliases).all())
    names.set(`${alias.slug}.${alias.domain}`, byId.get(alias.instanceId)?.ipAddress ?? null);
  const broken: string[] = [];
  for (const domain of new Set(
    db
      .select()
      .from(instances)
      .all()
      .map((row) => row.domain),
  )) {
    const list =
      records.parse(await ask(`domains/${domain}/records?type=A&per_page=200`)).domain_records ?? [];
    for (const { name, data } of list) {
      const expected = names.get(`${name}.${domain}`);
      if (expected !== data)
        broken.push(`4: ${name}.${domain} leads to ${data}, and should to ${expected ?? "nothing"}`);
    }
    for (const row of rows)
      if (row.domain === domain && row.status === "running" && !list.some((one) => one.name === row.slug))
        broken.push(`4: ${row.company} runs, and nothing leads to it`);
  }
  return broken;
}

/** 5, 10 and 11: what is kept is there, and nothing is kept that no row knows. */
async function keepingRules({ db, ask, isStored }: World): Promise<string[]> {
  const broken: string[] = [];
  const real = snapshotList.parse(await ask("snapshots?resource_type=droplet&per_page=200")).snapshots;
  const known = db.select().from(snapshots).where(isNull(snapshots.removedAt)).all();
  /** What a removal that was cut short has begun with may be there or not. */
  const kept = known.filter(({ removingAt }) => removingAt === null);
  for (const { id, name } of real)
    if (!known.some((row) => row.id === id))
      broken.push(`11: snapshot ${name} costs money, and no row knows it`);
  for (const { id, name } of kept)
    if (!real.some((one) => one.id === id)) broken.push(`10: snapshot ${name} is not there any more`);
  for (const row of db.select().from(instances).all())
    if (row.snapshotId !== null && !kept.some((one) => one.id === row.snapshotId))
      broken.push(`10: the last snapshot of ${row.company} is gone`);
  for (const operation of db.select().from(operations).where(eq(operations.kind, "destroy")).all()) {
    const rows = db.select().from(steps).where(eq(steps.operationId, operation.id)).all();
    const state = (name: string) => rows.find((row) => row.name === name)?.state;
    const begun = ["running", "done"].includes(state("destroy-droplet") ?? "");
    if (begun && state("snapshot") !== "done" && state("snapshot") !== "skipped")
      broken.push(`5: ${operation.id} destroys a droplet whose snapshot is ${state("snapshot")}`);
  }
  // Joe wanted nothing to be kept of these: their backups go, also those a cancelled purge has only begun with.
  const purged = new Set(
    db
      .select({ id: operations.instanceId })
      .from(operations)
      .innerJoin(steps, and(eq(steps.operationId, operations.id), eq(steps.name, "remove-backups")))
      .where(and(eq(operations.kind, "purge"), isNotNull(steps.startedAt)))
      .all()
      .map((row) => row.id),
  );
  const all = db.select().from(backups).all();
  for (const { id, key, state, instanceId } of all) {
    if (state === "good" && !(await isStored(key)))
      broken.push(`10: backup ${id} is called good and is not there`);
    if (state === "removed" && (await isStored(key)))
      broken.push(`11: backup ${id} is called removed and is there`);
    const ofInstance = all.filter((row) => row.instanceId === instanceId && row.verifiedAt !== null);
    if (ofInstance.length > 0 && !purged.has(instanceId) && !ofInstance.some((row) => row.state === "good"))
      broken.push(`10: no good backup of ${instanceId} is left`);
  }
  return broken;
}

/** 6, 7, 8, 9 and 12: what the books themselves say. */
function bookRules(db: Db): string[] {
  const broken: string[] = [];
  const mails = db
    .select()
    .from(mail)
    .all()
    .map((row) => `${row.operationId} ${row.instanceId} ${row.kind} ${row.round} ${row.recipient}`);
  if (new Set(mails).size !== mails.length) broken.push("6: a mail was written twice");
  const all = db.select().from(operations).all();
  const live = all.filter((row) => row.state === "running" || row.state === "cancelling");
  for (const row of live) broken.push(`7: ${row.kind} ${row.id} hasn't ended`);
  for (const row of live)
    if (
      row.mutating &&
      live.some((other) => other.id < row.id && other.mutating && other.instanceId === row.instanceId)
    )
      broken.push(`8: ${row.instanceId} has two operations at once`);
  const log = db.select().from(events).orderBy(asc(events.id)).all();
  const packed = db.select().from(packedLogs).all();
  const ids = [...log, ...packed.flatMap(({ data }) => unpackLines(data))].map(({ id }) => id);
  if (ids.sort((one, other) => one - other).some((id, index) => id !== index + 1))
    broken.push("12: the events have a gap");
  const rounds = new Map(all.map((row) => [row.id, row.round]));
  const over = new Set<string>();
  for (const event of log) {
    if (event.kind !== "step" || event.operationId === null) continue;
    const key = `${event.operationId} ${event.step}`;
    const { state } = stateOf.partial().parse(event.data);
    // A retry begins a round of its own, and may do again what was done.
    if (over.has(key) && rounds.get(event.operationId) === 0) broken.push(`9: ${key} went on after its end`);
    if (state !== undefined && state !== "running") over.add(key);
  }
  return broken;
}
