import type { Fetch } from "#server/providers/digitalocean/request.ts";
import { copyOf, type Disk, emptyDisk } from "./disk.ts";
import type { Faults } from "./faults.ts";
import type { Machine, Process } from "./process.ts";

/**
 * DigitalOcean as ../shared/digitalocean/semantics.md describes it, as far as the Spawner asks it: in memory, with
 * droplets that hold data. `cloud.contract.test.ts` holds it and the local cloud to the same answers.
 */

export type SimDroplet = {
  id: number;
  name: string;
  region: string;
  size: string;
  tags: string[];
  status: "new" | "active" | "off";
  address: string;
  hostKey: string;
  /** When status and address show, on the timeline. */
  activeAt: number;
  addressAt: number;
  /** When its SSH server answers for the first time. */
  sshAt: number;
  createdAt: number;
  /** When lists show it, and from when on they no longer do. */
  listedFrom: number;
  listedUntil: number;
  /** GET answers 404 until then. */
  foundFrom: number;
  /** Its process was stopped between its decision to ask for it and the sending: nobody can expect it any more. */
  isSentLate: boolean;
  /** Bought with another team's token: only that one sees it. */
  isStrangers: boolean;
  /** It was told to go, and will be gone in a moment, or a long one. */
  isLeaving: boolean;
  isGone: boolean;
  busyUntil: number;
  disk: Disk;
};
export type SimSnapshot = {
  id: number;
  name: string;
  dropletId: number;
  createdAt: number;
  isStrangers: boolean;
  disk: Disk;
  sizeGb: number;
};
export type SimRecord = { id: number; type: "A"; name: string; data: string; ttl: number };
type Action = {
  id: number;
  type: string;
  dropletId: number;
  status: "in-progress" | "completed" | "errored";
  startedAt: number;
  isSentLate: boolean;
};

/** What the rules want to hear of, at the moment it happens. */
export type CloudWatcher = {
  created: (droplet: SimDroplet) => void;
  destroying: (droplet: SimDroplet) => void;
  snapshotRemoved: (snapshot: SimSnapshot) => void;
  recordChanged: (domain: string, before: SimRecord, after: SimRecord | undefined) => void;
};

const vpc = "5a4981aa-9653-4bd1-bef5-d6bff52042e4";
const ourTag = "spawner";

export type Cloud = ReturnType<typeof createCloud>;

/** `pageSize`: the most that a list shows at once, whatever it is asked for. */
export function createCloud(machine: Machine, faults: Faults, watcher: CloudWatcher, pageSize = 200) {
  const { timeline, random, wall } = machine;
  const droplets = new Map<number, SimDroplet>();
  const snapshots = new Map<number, SimSnapshot>();
  const actions = new Map<number, Action>();
  const domains = new Map<string, SimRecord[]>();
  const keys: { id: number; fingerprint: string; public_key: string; name: string }[] = [];
  const requestTimes: number[] = [];
  let mostInAMinute = 0;
  let lastId = 1000;
  const newId = () => {
    lastId += 1;
    return lastId;
  };
  let lastAddress = 0;
  const at = (ms: number) => new Date(wall.base + Math.floor(ms)).toISOString().replace(/\.\d+Z$/, "Z");

  const view = (droplet: SimDroplet) => ({
    id: droplet.id,
    name: droplet.name,
    memory: 2048,
    vcpus: 1,
    disk: 50,
    locked: false,
    status: statusOf(droplet),
    created_at: at(droplet.createdAt),
    features: [],
    backup_ids: [],
    next_backup_window: null,
    snapshot_ids: [...snapshots.values()].filter((one) => one.dropletId === droplet.id).map(({ id }) => id),
    image: { id: 1, slug: "debian-13-x64" },
    volume_ids: [],
    size: { slug: droplet.size, price_monthly: 12 },
    size_slug: droplet.size,
    networks: {
      v4:
        timeline.now < droplet.addressAt
          ? []
          : [
              { ip_address: "10.0.0.2", netmask: "", gateway: "", type: "private" },
              { ip_address: droplet.address, netmask: "", gateway: "", type: "public" },
            ],
      v6: [],
    },
    region: { slug: droplet.region },
    tags: droplet.tags,
    vpc_uuid: vpc,
  });
  const statusOf = (droplet: SimDroplet) =>
    droplet.status === "new" && timeline.now >= droplet.activeAt ? "active" : droplet.status;
  const living = (id: number, isStranger: boolean) => {
    const droplet = droplets.get(id);
    return droplet === undefined || droplet.isGone || droplet.isStrangers !== isStranger
      ? undefined
      : droplet;
  };
  const snapshotsOf = (isStranger: boolean) =>
    [...snapshots.values()].filter((one) => one.isStrangers === isStranger);

  function createDroplet(
    body: Body,
    { isStranger: isStrangers, isSentLate }: { isStranger: boolean; isSentLate: boolean },
  ): Answer {
    const image = body.image;
    const snapshot =
      typeof image === "number" || /^\d+$/.test(String(image)) ? snapshots.get(Number(image)) : undefined;
    if (image !== "debian-13-x64" && snapshot === undefined)
      return refusal(422, "You specified an invalid image for Droplet creation.");
    lastAddress += 1;
    const slow = faults.strikes("slow-boot");
    const activeAt = timeline.now + (slow ? random.int(60_000, 300_000) : random.int(1500, 6000));
    const lag = faults.isArmed("list-lags") ? random.int(0, 60_000) : random.int(0, 1500);
    if (lag > 5000) faults.count("list-lags");
    const hidden = faults.strikes("not-found-after-create") ? random.int(500, 8000) : 0;
    const droplet: SimDroplet = {
      id: newId(),
      name: String(body.name),
      region: String(body.region),
      size: String(body.size),
      tags: Array.isArray(body.tags) ? body.tags.map(String) : [],
      status: "new",
      address: `203.0.113.${lastAddress}`,
      hostKey: `ssh-ed25519 KEY${lastAddress}`,
      activeAt,
      addressAt: activeAt + random.int(-800, 1500),
      sshAt: activeAt + random.int(300, 3000),
      createdAt: timeline.now,
      listedFrom: timeline.now + lag,
      listedUntil: Number.POSITIVE_INFINITY,
      foundFrom: timeline.now + hidden,
      isSentLate,
      isStrangers,
      isLeaving: false,
      isGone: false,
      busyUntil: activeAt,
      disk: snapshot === undefined ? emptyDisk() : copyOf(snapshot.disk),
    };
    droplets.set(droplet.id, droplet);
    watcher.created(droplet);
    return ok(202, { droplet: view(droplet), links: { actions: [] } });
  }

  function destroyDroplet(droplet: SimDroplet): void {
    watcher.destroying(droplet);
    droplet.isLeaving = true;
    const vanish = () => {
      droplet.isGone = true;
      droplet.listedUntil =
        timeline.now + (faults.isArmed("list-lags") ? random.int(0, 60_000) : random.int(0, 1500));
    };
    if (faults.strikes("droplet-stays")) timeline.push(random.int(60_000, 20 * 60_000), vanish);
    else timeline.push(random.int(0, 3000), vanish);
  }

  function act(droplet: SimDroplet, body: Body, isSentLate: boolean): Answer {
    if (droplet.busyUntil > timeline.now) return refusal(422, "Droplet already has a pending event.");
    const action: Action = {
      id: newId(),
      type: String(body.type),
      dropletId: droplet.id,
      status: "in-progress",
      startedAt: timeline.now,
      isSentLate,
    };
    actions.set(action.id, action);
    const ms = faults.strikes("action-slow")
      ? random.int(10_000, 50_000)
      : action.type === "snapshot"
        ? random.int(3000, 15_000)
        : random.int(500, 3000);
    droplet.busyUntil = timeline.now + ms;
    timeline.push(ms, () => {
      if (droplet.isGone || faults.strikes("action-errors")) {
        action.status = "errored";
        return;
      }
      action.status = "completed";
      if (action.type === "snapshot") {
        const snapshot: SimSnapshot = {
          id: newId(),
          name: String(body.name),
          dropletId: droplet.id,
          createdAt: action.startedAt,
          isStrangers: droplet.isStrangers,
          disk: copyOf(droplet.disk),
          sizeGb: 1.5,
        };
        snapshots.set(snapshot.id, snapshot);
      } else if (action.type === "shutdown" || action.type === "power_off") {
        // A shutdown is a request: now and then the system does not come down.
        if (action.type === "power_off" || random.chance(0.9)) droplet.status = "off";
      } else if (action.type === "power_on" || action.type === "reboot") {
        droplet.status = "active";
        droplet.sshAt = timeline.now + random.int(300, 2000);
      } else if (action.type === "resize" && droplet.status === "off") droplet.size = String(body.size);
    });
    return ok(201, { action: actionView(action) });
  }
  const actionView = ({ id, type, status }: Action) => ({ id, type, status });

  const snapshotView = (one: SimSnapshot, id: number | string) => ({
    id,
    name: one.name,
    created_at: at(one.createdAt),
    regions: ["fra1"],
    min_disk_size: 25,
    size_gigabytes: one.sizeGb,
    resource_id: String(one.dropletId),
    resource_type: "droplet",
    tags: [],
  });

  function removeSnapshot(id: number): Answer {
    const snapshot = snapshots.get(id);
    if (snapshot === undefined) return notFound;
    watcher.snapshotRemoved(snapshot);
    snapshots.delete(id);
    return ok(204, undefined);
  }

  /** One page of a list; an entry at the border may be missed or be told twice while others come and go. */
  function page<Item>(
    name: string,
    all: readonly Item[],
    query: URLSearchParams,
    show: (one: Item) => unknown,
  ) {
    const size = Math.min(Number(query.get("per_page") ?? 20), pageSize);
    const number = Number(query.get("page") ?? 1);
    const start = (number - 1) * size;
    const shift = number > 1 && faults.strikes("list-shifts") ? 1 : 0;
    const shown = all.slice(start + shift, start + size);
    const twice = shown[0] !== undefined && faults.strikes("listed-twice") ? [shown[0], ...shown] : shown;
    const hasNext = start + size < all.length;
    const pages = hasNext ? { pages: { next: `https://api/v2/${name}?page=${number + 1}` } } : {};
    return ok(200, { [name]: twice.map(show), links: pages, meta: { total: all.length } });
  }

  function recordRoutes(
    method: string,
    domain: string,
    id: string | undefined,
    query: URLSearchParams,
    body: Body,
  ) {
    const records = domains.get(domain);
    if (records === undefined) return notFound;
    if (id === undefined && method === "GET") {
      const name = query.get("name");
      const found = records.filter((one) => name === null || `${one.name}.${domain}` === name);
      return page("domain_records", found, query, (one) => ({ ...one, priority: null }));
    }
    if (id === undefined) {
      const record: SimRecord = {
        id: newId(),
        type: "A",
        name: String(body.name),
        data: String(body.data),
        ttl: Number(body.ttl ?? 1800),
      };
      records.push(record);
      return ok(201, { domain_record: record });
    }
    const index = records.findIndex((one) => one.id === Number(id));
    const record = records[index];
    if (record === undefined) return notFound;
    if (method === "DELETE") {
      watcher.recordChanged(domain, record, undefined);
      records.splice(index, 1);
      return ok(204, undefined);
    }
    if (method === "PUT") {
      const changed = { ...record, data: String(body.data), name: String(body.name ?? record.name) };
      watcher.recordChanged(domain, record, changed);
      records[index] = changed;
      return ok(200, { domain_record: changed });
    }
    return ok(200, { domain_record: record });
  }

  function tagRoutes(tag: string, method: string, body: Body, isStranger: boolean): Answer {
    const resources = Array.isArray(body.resources) ? body.resources : [];
    for (const one of resources) {
      const droplet = living(Number(one.resource_id), isStranger);
      if (droplet === undefined) return notFound;
      droplet.tags = droplet.tags.filter((known) => known !== tag);
      if (method === "POST") droplet.tags.push(tag);
    }
    return ok(204, undefined);
  }

  /** What a request does, and what is answered. */
  function handle(
    method: string,
    path: string,
    query: URLSearchParams,
    body: Body,
    { isStranger, isSentLate }: { isStranger: boolean; isSentLate: boolean },
  ): Answer {
    const [first = "", second, third, fourth] = path.split("/");
    if (first === "account" && second === undefined)
      return ok(200, {
        account: {
          email: "joe@intranet.localhost",
          status: "active",
          droplet_limit: 100,
          uuid: isStranger ? "another-account" : "our-account",
          email_verified: true,
        },
      });
    if (first === "account" && second === "keys") {
      if (method === "GET") return page("ssh_keys", isStranger ? [] : keys, query, (one) => one);
      if (keys.some((known) => known.public_key === body.public_key))
        return refusal(422, "SSH Key is already in use on your account");
      const key = {
        id: newId(),
        fingerprint: "aa:bb",
        public_key: String(body.public_key),
        name: String(body.name),
      };
      if (!isStranger) keys.push(key);
      return ok(201, { ssh_key: key });
    }
    if (first === "tags" && method === "POST" && second === undefined)
      return ok(201, { tag: { name: String(body.name) } });
    if (first === "tags" && third === "resources") return tagRoutes(second ?? "", method, body, isStranger);
    if (first === "droplets" && second === undefined && method === "GET") {
      const tag = query.get("tag_name");
      const listed = [...droplets.values()].filter(
        (one) =>
          one.isStrangers === isStranger &&
          (tag === null || one.tags.includes(tag)) &&
          one.listedFrom <= timeline.now &&
          one.listedUntil > timeline.now,
      );
      return page("droplets", listed, query, view);
    }
    if (first === "droplets" && second === undefined) return createDroplet(body, { isStranger, isSentLate });
    if (first === "droplets") {
      const droplet = living(Number(second), isStranger);
      if (third === "snapshots" && droplet !== undefined)
        return page(
          "snapshots",
          [...snapshots.values()].filter((one) => one.dropletId === droplet.id),
          query,
          (one) => snapshotView(one, one.id),
        );
      if (droplet === undefined || droplet.foundFrom > timeline.now) return notFound;
      if (method === "GET" && third === undefined)
        return faults.strikes("single-404") ? notFound : ok(200, { droplet: view(droplet) });
      if (method === "DELETE") {
        destroyDroplet(droplet);
        return ok(204, undefined);
      }
      if (third === "actions" && method === "POST") return act(droplet, body, isSentLate);
      if (third === "actions") return page("actions", [...actions.values()], query, actionView);
    }
    if (first === "actions") {
      const action = actions.get(Number(second));
      return action === undefined || droplets.get(action.dropletId)?.isStrangers !== isStranger
        ? notFound
        : ok(200, { action: actionView(action) });
    }
    if (first === "snapshots" && second === undefined)
      return page("snapshots", snapshotsOf(isStranger), query, (one) => snapshotView(one, String(one.id)));
    if (first === "snapshots" || first === "images") {
      const snapshot = snapshotsOf(isStranger).find((one) => one.id === Number(second));
      if (snapshot === undefined) return notFound;
      return method === "DELETE"
        ? removeSnapshot(snapshot.id)
        : ok(200, { snapshot: snapshotView(snapshot, String(snapshot.id)) });
    }
    if (first === "domains" && second === undefined) {
      if (method === "GET")
        return page("domains", isStranger ? [] : [...domains.keys()], query, (name) => ({
          name,
          ttl: 1800,
          zone_file: null,
        }));
      if (domains.has(String(body.name))) return refusal(422, "name already exists");
      if (!isStranger) domains.set(String(body.name), []);
      return ok(201, { domain: { name: body.name, ttl: 1800, zone_file: null } });
    }
    if (first === "domains" && third === "records")
      return isStranger ? notFound : recordRoutes(method, second ?? "", fourth, query, body);
    if (first === "domains")
      return domains.has(second ?? "") && !isStranger ? ok(200, { domain: { name: second } }) : notFound;
    if (first === "regions")
      return page("regions", [{ slug: "fra1", name: "Frankfurt 1", available: true }], query, (one) => one);
    if (first === "sizes") return page("sizes", sizes, query, (one) => one);
    throw new Error(`The simulated cloud does not know ${method} ${path}.`);
  }

  function countRequest(): void {
    requestTimes.push(timeline.now);
    while ((requestTimes[0] ?? 0) < timeline.now - 60_000) requestTimes.shift();
    mostInAMinute = Math.max(mostInAMinute, requestTimes.length);
  }

  /** `fetch` as one of our processes has it. */
  const fetchFor =
    (process: Process): Fetch =>
    (url, init) => {
      const { pathname, searchParams } = new URL(url);
      const path = pathname.replace(/^\/v2\//, "");
      const body = parse(init.body);
      if (faults.strikes("worker-stopped")) process.stopFor(random.int(2000, 60_000));
      const isSentLate = process.isStopped;
      const isVoid = faults.strikes("never-sent");
      const isAnswerLost = isVoid || faults.strikes("answer-lost");
      const answer = process.call(
        () => {
          if (isVoid) return notFound;
          countRequest();
          if (faults.strikes("rate-limited"))
            return {
              ...refusal(429, "API Rate limit exceeded."),
              headers: { "retry-after": String(random.int(1, 20)) },
            };
          if (faults.strikes("error-before-effect")) return refusal(503, "Service is currently unavailable.");
          const done = handle(init.method, path, searchParams, body, {
            isStranger: process.isStrangers,
            isSentLate,
          });
          // What only looks has no effect that an error could come after.
          if (init.method === "GET") return done;
          if (faults.strikes("worker-killed-in-call")) process.dieInCall();
          return faults.strikes("error-after-effect") ? refusal(502, "Bad gateway") : done;
        },
        { isAnswerLost },
      );
      return Promise.race([answer.then(toResponse), aborted(init.signal)]);
    };

  /** Where a name leads: the addresses of its records. */
  function resolve(host: string): string[] {
    const [name, ...rest] = host.split(".");
    return (domains.get(rest.join(".")) ?? []).filter((one) => one.name === name).map((one) => one.data);
  }
  const dropletAt = (address: string): SimDroplet | undefined =>
    [...droplets.values()].find((one) => one.address === address && !one.isGone);
  const isReachable = (droplet: SimDroplet) =>
    statusOf(droplet) === "active" && timeline.now >= droplet.sshAt && !droplet.isGone;

  return {
    droplets,
    snapshots,
    domains,
    actions,
    fetchFor,
    resolve,
    dropletAt,
    isReachable,
    statusOf,
    newId,
    /** Droplets of ours that cost money now. */
    ours: () => [...droplets.values()].filter((one) => !one.isGone && one.tags.includes(ourTag)),
    mostInAMinute: () => mostInAMinute,
    /** Whether lists show what there is, and nothing that was asked for is still to come. */
    isRight: () =>
      [...actions.values()].every((one) => one.status !== "in-progress") &&
      [...droplets.values()].every(({ isLeaving, isGone, activeAt, listedFrom, listedUntil, foundFrom }) =>
        isGone
          ? listedUntil <= timeline.now
          : !isLeaving && Math.max(activeAt, listedFrom, foundFrom) <= timeline.now,
      ),
    /** Somebody at DigitalOcean's own page deletes it. */
    deleteByHand(droplet: SimDroplet): void {
      droplet.isGone = true;
      droplet.listedUntil = timeline.now + random.int(0, 1500);
    },
  };
}

type Body = Record<string, unknown> & { resources?: { resource_id: unknown }[] };
type Answer = { status: number; json: unknown; headers: Record<string, string> };
const ok = (status: number, json: unknown): Answer => ({ status, json, headers: {} });
const ids: Record<number, string> = {
  404: "not_found",
  422: "unprocessable_entity",
  429: "too_many_requests",
};
const refusal = (status: number, message: string): Answer => ({
  status,
  json: { id: ids[status] ?? "server_error", message },
  headers: {},
});
const notFound = refusal(404, "The resource you were accessing could not be found.");

const price = (slug: string, memory: number, vcpus: number, disk: number, price_monthly: number) => ({
  ...{ slug, memory, vcpus, disk, price_monthly, regions: ["fra1"], available: true },
});
const sizes = [
  price("s-1vcpu-1gb", 1024, 1, 25, 6),
  price("s-1vcpu-2gb", 2048, 1, 50, 12),
  price("s-2vcpu-4gb", 4096, 2, 80, 24),
];

const parse = (text: string | undefined): Body => (text === undefined ? {} : JSON.parse(text));

function toResponse({ status, json, headers }: Answer): Awaited<ReturnType<Fetch>> {
  return {
    status,
    ok: status >= 200 && status < 300,
    text: () => Promise.resolve(json === undefined ? "" : JSON.stringify(json)),
    headers: { get: (name) => headers[name] ?? null },
  };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
