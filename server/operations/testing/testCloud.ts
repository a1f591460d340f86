import { Readable } from "node:stream";
import { eq } from "drizzle-orm";
import { backups, instances, operations, steps } from "#db/schema.ts";
import type { Providers } from "#server/operations/engine/define.ts";
import { registry } from "#server/operations/registry.ts";
import type { BackupStore } from "#server/providers/backups/backups.ts";
import { createDigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";
import type { Fetch } from "#server/providers/digitalocean/request.ts";
import { createTestPlaybooks, createTestTransfer, testArchive } from "./testBackups.ts";
import { begin, createTestEngine, insertInstance, only, operationOf, runToEnd } from "./testEngine.ts";

type Droplet = { id: number; status: string; tags: string[]; address: string; isListed: boolean };
type Answer = { status: number; body?: unknown };
type Asked = { method: string; path: string; body: Record<string, unknown> };

/** For tests: what the client needs of DigitalOcean, in memory, whose rules a test may break request by request. */
function createTestCloud() {
  let nextId = 1;
  const cloud = {
    accountId: "our-team",
    droplets: [] as Droplet[],
    snapshots: [] as { id: number; name: string; dropletId: number }[],
    actions: new Map<number, string>(),
    records: [] as { id: number; name: string; type: string; data: string }[],
    asked: [] as string[],
    /** What is answered instead; undefined for what is usual. May change things, and may throw for silence. */
    meet: (_request: Asked): Answer | undefined => undefined,
    /** How a snapshot's action stands after it was asked for. */
    snapshotsTake: "completed" as "completed" | "in-progress",
    answer,
    fetch: send,
    addDroplet(tags: string[]): Droplet {
      const id = nextId++;
      const droplet = { id, status: "active", tags, address: `203.0.113.${id}`, isListed: true };
      cloud.droplets.push(droplet);
      return droplet;
    },
    addRecord(name: string, data: string, type = "A") {
      const record = { id: nextId++, name, type, data };
      cloud.records.push(record);
      return record;
    },
    addSnapshot(name: string, dropletId: number) {
      const snapshot = { id: nextId++, name, dropletId };
      cloud.snapshots.push(snapshot);
      return snapshot;
    },
  };

  async function send(...[url, { method, body }]: Parameters<Fetch>): ReturnType<Fetch> {
    const path = url.replace(/^.*\/v2\//, "");
    const request = { method, path, body: body === undefined ? {} : JSON.parse(body) };
    cloud.asked.push(`${method} ${path.replace(/\?.*/, "")}`);
    const given = cloud.meet(request) ?? answer(request);
    return {
      status: given.status,
      ok: given.status < 300,
      text: async () => (given.body === undefined ? "" : JSON.stringify(given.body)),
      headers: { get: () => null },
    };
  }

  const dropletView = ({ id, status, tags, address }: Droplet) => ({
    ...{ id, name: `d${id}`, status, tags, created_at: "2026-01-01T00:00:00Z", size_slug: "s-1vcpu-2gb" },
    ...{ size: { price_monthly: 12 }, snapshot_ids: [], region: { slug: "fra1" } },
    networks: { v4: [{ ip_address: address, type: "public" }] },
  });
  const snapshotView = ({ id, name }: { id: number; name: string }) => ({
    ...{ id: String(id), name, created_at: "2026-01-01T00:00:00Z", size_gigabytes: 1 },
  });
  const list = (name: string, entries: unknown[]): Answer => ({
    status: 200,
    body: { [name]: entries, links: {}, meta: { total: entries.length } },
  });
  const notFound: Answer = { status: 404, body: { id: "not_found", message: "Not found." } };

  function answer({ method, path, body }: Asked): Answer {
    const [what = "", id = "", below = "", belowId = ""] = path.replace(/\?.*/, "").split("/");
    const query = new URLSearchParams(path.replace(/^[^?]*/, ""));
    if (what === "account" && id === "")
      return {
        status: 200,
        body: { account: { uuid: cloud.accountId, email: "e", status: "active", droplet_limit: 9 } },
      };
    if (what === "account")
      return list("ssh_keys", [{ id: 1, fingerprint: "f", public_key: "ssh-ed25519 AAAA", name: "k" }]);
    if (what === "domains") return domains(method, below, belowId, query, body);
    if (what === "actions") return { status: 200, body: { action: actionView(Number(id)) } };
    if (what === "snapshots") {
      if (method === "GET") return list("snapshots", cloud.snapshots.map(snapshotView));
      cloud.snapshots = cloud.snapshots.filter((one) => one.id !== Number(id));
      return { status: 204 };
    }
    if (id === "" && method === "GET")
      return list("droplets", cloud.droplets.filter(({ isListed }) => isListed).map(dropletView));
    if (id === "")
      return { status: 202, body: { droplet: dropletView(cloud.addDroplet(body.tags as string[])) } };
    const droplet = cloud.droplets.find((one) => one.id === Number(id));
    if (droplet === undefined) return notFound;
    if (below === "snapshots")
      return list(
        "snapshots",
        cloud.snapshots.filter((one) => one.dropletId === droplet.id).map(snapshotView),
      );
    if (below === "actions") return { status: 201, body: { action: act(droplet, body) } };
    if (method === "GET") return { status: 200, body: { droplet: dropletView(droplet) } };
    cloud.droplets = cloud.droplets.filter((one) => one !== droplet);
    return { status: 204 };
  }

  const actionView = (id: number) => ({ id, status: cloud.actions.get(id), type: "snapshot" });
  function act(droplet: Droplet, { type, name }: Record<string, unknown>) {
    const id = nextId++;
    cloud.actions.set(id, type === "snapshot" ? cloud.snapshotsTake : "completed");
    if (type === "shutdown" || type === "power_off") droplet.status = "off";
    if (type === "power_on") droplet.status = "active";
    if (type === "snapshot" && cloud.snapshotsTake === "completed")
      cloud.addSnapshot(String(name), droplet.id);
    return actionView(id);
  }

  function domains(
    method: string,
    below: string,
    belowId: string,
    query: URLSearchParams,
    { name, type, data }: Record<string, unknown>,
  ): Answer {
    if (below === "") return { status: 200, body: { domain: {} } };
    const view = (record: (typeof cloud.records)[number]) => ({ ...record, ttl: 60 });
    const full = query.get("name") ?? "";
    if (method === "GET")
      return list("domain_records", cloud.records.filter((one) => full.startsWith(`${one.name}.`)).map(view));
    if (method === "POST")
      return {
        status: 201,
        body: { domain_record: view(cloud.addRecord(String(name), String(data), String(type))) },
      };
    const record = cloud.records.find((one) => one.id === Number(belowId));
    if (record === undefined) return notFound;
    if (method === "PUT") record.data = String(data);
    else cloud.records = cloud.records.filter((one) => one !== record);
    return { status: 200, body: { domain_record: view(record) } };
  }
  return cloud;
}

/**
 * For tests: an engine with the real definitions and the real client on a cloud in memory. Its clock moves only when
 * nothing is due; its playbooks and its intranets answer at once.
 */
export function createCloudWorld() {
  const world = createTestEngine();
  const { engine, db, clock } = world;
  const cloud = createTestCloud();
  const { playbooks, probe } = createTestPlaybooks();
  const archive = testArchive();
  const ran: string[] = [];
  const newClient = () =>
    createDigitalOcean({
      ...{ token: "test", apiUrl: "http://cloud.test", fetch: cloud.fetch, random: () => 0.5 },
      now: engine.now,
      monotonic: engine.monotonic,
      wait: async (ms) => {
        clock.now += ms;
      },
    });
  const digitalocean = newClient();
  engine.providers = only<Providers>("providers", {
    digitalocean,
    transfer: createTestTransfer(archive),
    playbooks: {
      ...playbooks,
      ensureRun: async (run) => {
        ran.push(`${run.playbook} on ${run.host.address}`);
        return playbooks.ensureRun(run);
      },
    },
    probe,
    scanHostKey: async () => "ssh-ed25519 HOST",
  });
  const row = (id: string) => {
    const found = db.select().from(instances).where(eq(instances.id, id)).get();
    if (found === undefined) throw new Error(`no instance ${id}`);
    return found;
  };
  /** Lets an operation run to its end, or until `until` says so. */
  async function play(operationId: string, until?: () => boolean) {
    const stopped = new Error("stopped");
    await runToEnd(engine, operationId, (due) => {
      if (until?.() === true) throw stopped;
      clock.now = Math.max(clock.now, due);
    }).catch((error: unknown) => {
      if (error !== stopped) throw error;
    });
    return operationOf(db, operationId);
  }
  return {
    ...world,
    cloud,
    /** Replaces the token with one of this team and restarts the worker. */
    restartAs(team: string): void {
      cloud.accountId = team;
      engine.providers.digitalocean = newClient();
    },
    /** What playbooks were run, and where. */
    ran,
    archive,
    row,
    /** What commands that look at DigitalOcean work with. */
    web: { ...engine, digitalocean, env: { baseDomains: [] } },
    play,
    /** An instance that runs on a droplet, as a spawn leaves it. */
    async spawned(values: Partial<typeof instances.$inferInsert> = {}) {
      const id = insertInstance(db, { status: "spawning", version: "2.13.0", ...values });
      const operation = await play(begin(engine, id, registry.spawn));
      if (operation.state !== "done") throw new Error(JSON.stringify(operation.failure));
      cloud.asked.length = 0;
      return id;
    },
    /** A good backup of it, made by an operation of its own. */
    backedUp(instanceId: string): string {
      const id = begin(engine, instanceId, registry.backup);
      db.update(operations).set({ state: "done" }).where(eq(operations.id, id)).run();
      db.update(instances).set({ status: "running" }).where(eq(instances.id, instanceId)).run();
      const { bytes, sha256, tree } = archive;
      db.insert(backups)
        .values({
          ...{ id, instanceId, operationId: id, reason: "manual", state: "good", key: "k.tar.gz" },
          ...{ version: "2.12.0", createdAt: 1, takenAt: 1, bytes, sha256 },
          contents: { files: 1, bytes: 3, tree, counts: {} },
        })
        .run();
      engine.providers = {
        ...engine.providers,
        backups: only<BackupStore>("backups", { get: async () => Readable.from([archive.content]) }),
      };
      return id;
    },
    stepOf: (operationId: string, name: string) =>
      db
        .select()
        .from(steps)
        .where(eq(steps.operationId, operationId))
        .all()
        .find((one) => one.name === name),
    newestOperation: (instanceId: string) =>
      db.select().from(operations).where(eq(operations.instanceId, instanceId)).all().at(-1),
  };
}
