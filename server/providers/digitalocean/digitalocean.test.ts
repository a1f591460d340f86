import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ProviderError } from "#server/providers/errors.ts";
import {
  type Budget,
  BudgetSpent,
  budgetShares,
  createBudget,
  createLedger,
  grantLease,
  type Lease,
  type Ledger,
} from "./budget.ts";
import { createDigitalOcean } from "./digitalocean.ts";

/** The client against a server that answers as each test says. */

type Spoken = { status: number; body?: unknown; headers?: Record<string, string> };
type Answer = Spoken | "silence" | Promise<Spoken>;
let respond: (request: { method: string; url: string; body: unknown }) => Answer;
let seen: string[] = [];
let apiUrl = "";
const token = "dop_v1_secret";

const server = createServer((request: IncomingMessage, response) => {
  let text = "";
  request.on("data", (chunk) => {
    text += chunk;
  });
  request.on("end", async () => {
    const [method, url] = [request.method ?? "", request.url ?? ""];
    seen.push(`${method} ${url}`);
    const answer = await respond({ method, url, body: text === "" ? undefined : JSON.parse(text) });
    if (answer === "silence") return;
    response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
    response.end(answer.body === undefined ? "" : JSON.stringify(answer.body));
  });
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  seen = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const client = (over: { timeoutMs?: number; wait?: (ms: number) => Promise<void> } = {}) =>
  createDigitalOcean({ token, apiUrl, wait: async () => {}, random: () => 0.5, ...over });
const droplet = (id: number, tags: string[] = ["spawner"]) => ({
  ...{
    id,
    name: `d${id}`,
    status: "active",
    created_at: "2026-01-01T00:00:00Z",
    size_slug: "s",
    size: { price_monthly: 12 },
    snapshot_ids: [],
    tags,
  },
  region: { slug: "fra1" },
  networks: {
    v4: [
      { ip_address: "10.0.0.1", type: "private" },
      { ip_address: `203.0.113.${id}`, type: "public" },
    ],
    v6: [],
  },
});
const refused = (status: number, message: string): Answer => ({ status, body: { id: "x", message } });
const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "nothing was thrown",
    (error: unknown) => error,
  );
const wish = { name: "d", region: "fra1", size: "s", image: "debian-13-x64", sshKeyId: 1, tags: ["spawner"] };

test("a hundred who wait share one list call, and each finds its own", async () => {
  respond = () => ({
    status: 200,
    body: { droplets: Array.from({ length: 100 }, (_, id) => droplet(id, ["spawner", `t${id}`])), links: {} },
  });
  const cloud = client();
  const lists = await Promise.all(Array.from({ length: 100 }, () => cloud.listDroplets()));
  const found = lists.map((list, id) => list.find(({ tags }) => tags.includes(`t${id}`)));
  expect(found.map((one) => one?.address)).toEqual(Array.from({ length: 100 }, (_, id) => `203.0.113.${id}`));
  expect(seen).toHaveLength(1);
});

test("follows pages to their end", async () => {
  respond = ({ url }) =>
    url.includes("page=1")
      ? { status: 200, body: { droplets: [droplet(1)], links: { pages: { next: "…" } } } }
      : { status: 200, body: { droplets: [droplet(2, ["spawner", "here"])], links: {} } };
  expect((await client().dropletsByTag("here")).map(({ id }) => id)).toEqual([2]);
});

test.each([
  [401, "Unable to authenticate you.", /DIGITALOCEAN_TOKEN/, false],
  [
    422,
    "creating this/these droplet(s) will exceed your droplet limit",
    /droplet limit of this account/,
    false,
  ],
  [422, "You specified an invalid size for Droplet creation.", /size/, false],
  [422, "Droplet already has a pending event.", /busy/, true],
  [429, "API Rate limit exceeded.", /is limiting requests/, true],
  [503, "Service is currently unavailable.", /is having problems/, true],
])("an answer of %i (%s) becomes a sentence", async (status, message, userMessage, retryable) => {
  respond = () => refused(status, message);
  const error = await failureOf(client().createDroplet(wish));
  expect(error).toBeInstanceOf(ProviderError);
  expect(error).toMatchObject({ retryable, userMessage: expect.stringMatching(userMessage) });
  expect(JSON.stringify(error) + String(error)).not.toContain(token);
});

test.each([
  [422, "Droplet already has a pending event.", "busy"],
  [422, "invalid key identifiers for Droplet creation.", "unknown-ssh-key"],
  [404, "The resource you were accessing could not be found.", "not-found"],
  [422, "You specified an invalid size for Droplet creation.", undefined],
])("an answer of %i (%s) has the code %s", async (status, message, code) => {
  respond = () => refused(status, message);
  expect(await failureOf(client().createDroplet(wish))).toHaveProperty("code", code);
});

test("a create is sent once, and says when its outcome is unclear", async () => {
  respond = () => "silence";
  expect(await failureOf(client({ timeoutMs: 50 }).createDroplet(wish))).toMatchObject({
    unclear: true,
    retryable: true,
  });
  respond = () => ({ status: 502, body: "<html>" });
  expect(await failureOf(client().createDroplet(wish))).toMatchObject({ unclear: true });
  respond = () => refused(422, "You specified an invalid image for Droplet creation.");
  expect(await failureOf(client().createDroplet(wish))).toMatchObject({ unclear: false });
  // A 2xx that cannot be read has bought a droplet all the same.
  respond = () => ({ status: 202, body: "<html>" });
  expect(await failureOf(client().createDroplet(wish))).toMatchObject({ unclear: true });
  expect(seen).toEqual(Array.from({ length: 4 }, () => "POST /v2/droplets"));
});

test("a create that never reached anybody bought nothing", async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  for (const host of ["127.0.0.1", "localhost"]) {
    const cloud = createDigitalOcean({ token, apiUrl: `http://${host}:${port}`, wait: async () => {} });
    expect(await failureOf(cloud.createDroplet(wish))).toMatchObject({
      unclear: false,
      retryable: true,
      userMessage: expect.stringContaining(`http://${host}:${port}`),
      detail: expect.stringContaining("ECONNREFUSED"),
    });
  }
});

test("a token that no header can carry stays out of the error", async () => {
  const cloud = createDigitalOcean({ token: `${token}\u0001`, apiUrl, wait: async () => {} });
  const error = await failureOf(cloud.account());
  expect(error).toMatchObject({
    retryable: false,
    userMessage: expect.stringContaining("DIGITALOCEAN_TOKEN"),
  });
  expect(JSON.stringify(error) + String(error)).not.toContain(token);
});

test("what is safe to repeat is repeated", async () => {
  let left = 2;
  respond = () => (left-- > 0 ? refused(500, "ill") : { status: 200, body: { droplet: droplet(7) } });
  expect((await client().getDroplet(7))?.id).toBe(7);
  expect(seen).toHaveLength(3);
});

test("what is gone is gone: a 404 is an answer", async () => {
  respond = () => refused(404, "The resource you were accessing could not be found.");
  expect(await client().getDroplet(7)).toBeUndefined();
  await client().destroyDroplet(7);
});

test("an answer of another shape is said to be one", async () => {
  respond = () => ({ status: 200, body: { droplet: { id: "seven" } } });
  expect(await failureOf(client().getDroplet(7))).toMatchObject({
    userMessage: expect.stringMatching(/doesn't understand/),
  });
});

test("all droplets with a tag are found, not only the first", async () => {
  const droplets = [droplet(1, ["spawner", "here"]), droplet(2), droplet(3, ["spawner", "here"])];
  respond = () => ({ status: 200, body: { droplets, links: {}, meta: { total: 3 } } });
  expect((await client().dropletsByTag("here")).map(({ id }) => id)).toEqual([1, 3]);
});

test("what slips over a page's border while the list shifts is found by another reading", async () => {
  // While the first reading is between its pages droplet 1 goes, and 3 moves to the page that was read already.
  let ids = [1, 2, 3, 4];
  respond = ({ url }) => {
    const page = Number(url.match(/&page=(\d+)/)?.[1]);
    const shown = ids.slice(page * 2 - 2, page * 2).map((id) => droplet(id));
    const total = ids.length;
    if (page === 1) ids = [2, 3, 4, 5];
    const links = page === 1 ? { pages: { next: "…" } } : {};
    return { status: 200, body: { droplets: shown, links, meta: { total } } };
  };
  const cloud = client();
  expect((await cloud.listAllDroplets()).map(({ id }) => id)).toEqual([2, 3, 4, 5]);
  // One page that doesn't hold as many as are counted is not the whole list.
  respond = () => ({ status: 200, body: { droplets: [droplet(1)], links: {}, meta: { total: 2 } } });
  expect(await failureOf(cloud.listAllDroplets())).toMatchObject({ retryable: true });
});

test("DNS: what decides where a name leads is found, and each record is changed by its id", async () => {
  const record = (id: number, type: string) => ({ id, type, name: "acme", data: "203.0.113.1", ttl: 60 });
  const bodies: unknown[] = [];
  respond = ({ method, body }) => {
    if (body !== undefined) bodies.push(body);
    if (method === "GET")
      return {
        status: 200,
        body: { domain_records: [record(1, "A"), record(2, "TXT"), record(3, "CNAME")], links: {} },
      };
    return { status: method === "DELETE" ? 204 : 201, body: { domain_record: record(4, "A") } };
  };
  const cloud = client();
  const found = await cloud.findRecords("intranet.io", "acme");
  expect(found.map(({ id }) => id)).toEqual([1, 3]);
  expect((await cloud.createARecord("intranet.io", "acme", "203.0.113.1")).id).toBe(4);
  await cloud.changeARecord("intranet.io", 4, "acme", "203.0.113.2");
  await cloud.removeRecord("intranet.io", 4);
  expect(seen).toEqual([
    "GET /v2/domains/intranet.io/records?name=acme.intranet.io&per_page=200&page=1",
    "POST /v2/domains/intranet.io/records",
    "PUT /v2/domains/intranet.io/records/4",
    "DELETE /v2/domains/intranet.io/records/4",
  ]);
  const body = { type: "A", name: "acme", ttl: 60 };
  expect(bodies).toEqual([
    { ...body, data: "203.0.113.1" },
    { ...body, data: "203.0.113.2" },
  ]);
});

test("one SSH key, registered once for a hundred spawns", async () => {
  const key = { id: 5, fingerprint: "aa:bb", public_key: "ssh-ed25519 AAAA spawner", name: "spawner" };
  let made = false;
  respond = ({ method }) => {
    if (method === "GET") return { status: 200, body: { ssh_keys: made ? [key] : [], links: {} } };
    made = true;
    return { status: 201, body: { ssh_key: key } };
  };
  const cloud = client();
  const ids = await Promise.all(
    Array.from({ length: 100 }, () => cloud.ensureSshKey("spawner", "ssh-ed25519 AAAA spawner")),
  );
  expect(new Set(ids.map((one) => one.id))).toEqual(new Set([5]));
  expect(seen).toEqual(["GET /v2/account/keys?per_page=200&page=1", "POST /v2/account/keys"]);
});

test("whoever gives up does not take the key from the others", async () => {
  const key = { id: 5, fingerprint: "aa:bb", public_key: "ssh-ed25519 AAAA spawner", name: "spawner" };
  let answer: (spoken: Spoken) => void = () => {};
  let arrived = () => {};
  const asked = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  respond = () =>
    new Promise<Spoken>((resolve) => {
      answer = resolve;
      arrived();
    });
  const cloud = client();
  const giveUp = new AbortController();
  const first = failureOf(cloud.ensureSshKey("spawner", "ssh-ed25519 AAAA", giveUp.signal));
  const second = cloud.ensureSshKey("spawner", "ssh-ed25519 AAAA");
  await asked;
  giveUp.abort();
  answer({ status: 200, body: { ssh_keys: [key], links: {} } });
  await first;
  expect((await second).id).toBe(5);
});

test("finds its key on a later page", async () => {
  const key = (id: number) => ({ id, fingerprint: "f", public_key: `ssh-ed25519 KEY${id} x`, name: "n" });
  respond = ({ method, url }) =>
    method === "POST"
      ? refused(422, "SSH Key is already in use on your account")
      : url.endsWith("&page=2")
        ? { status: 200, body: { ssh_keys: [key(2)], links: {} } }
        : { status: 200, body: { ssh_keys: [key(1)], links: { pages: { next: "…" } } } };
  expect((await client().ensureSshKey("n", "ssh-ed25519 KEY2 x")).id).toBe(2);
});

test("many callers share one answer about whose the token is, and a caller that wants it fresh asks again", async () => {
  const clock = { now: 0 };
  respond = () => ({
    status: 200,
    body: { account: { uuid: "u", email: "e", status: "active", droplet_limit: 1 } },
  });
  const cloud = createDigitalOcean({ token, apiUrl, monotonic: () => clock.now });
  await Promise.all(Array.from({ length: 50 }, () => cloud.account(60_000)));
  clock.now = 59_999;
  expect((await cloud.account(60_000)).id).toBe("u");
  expect(seen).toHaveLength(1);
  await cloud.account();
  expect(seen).toHaveLength(2);
  clock.now += 60_000;
  await cloud.account(60_000);
  expect(seen).toHaveLength(3);
});

test("an hour's allowance that is spent is handed back with the time to wait", async () => {
  const clock = { now: 1_800_000_000_000 };
  const waits: number[] = [];
  respond = () => ({
    status: 200,
    body: { account: { uuid: "u", email: "e", status: "active", droplet_limit: 1 } },
    headers: {
      ...{ date: new Date(clock.now).toUTCString(), "ratelimit-remaining": "0" },
      "ratelimit-reset": String(clock.now / 1000 + 1800),
    },
  });
  const cloud = createDigitalOcean({
    ...{ token, apiUrl, monotonic: () => clock.now },
    wait: async (ms) => {
      waits.push(ms);
      clock.now += ms;
    },
  });
  await cloud.account();
  expect(await failureOf(cloud.account())).toMatchObject({ retryable: true, retryAfterMs: 1_800_000 });
  expect(waits).toEqual([]);
  expect(seen).toHaveLength(1);
});

test("a 429 without a usable time makes the pauses grow", async () => {
  const clock = { now: 1_800_000_000_000 };
  respond = () => ({
    ...{ status: 429, body: { id: "too_many_requests", message: "API Rate limit exceeded." } },
    headers: { "ratelimit-reset": "1", "ratelimit-remaining": "0" },
  });
  const cloud = createDigitalOcean({
    ...{ token, apiUrl, monotonic: () => clock.now, random: () => 1 },
    wait: async (ms) => {
      clock.now += ms;
    },
  });
  const pauses: unknown[] = [];
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const error = await failureOf(cloud.account());
    pauses.push(error instanceof ProviderError ? error.retryAfterMs : error);
  }
  expect(pauses).toEqual([5000, 10_000, 20_000, 40_000, 60_000]);
});

/** A budget on a clock that goes on when somebody waits. */
function aBudget(clock: { now: number }, ledger?: Ledger, share?: number): Budget {
  const now = () => clock.now;
  const wait = async (ms: number) => {
    clock.now += ms;
  };
  return createBudget({ monotonic: now, wait }, ledger ?? createLedger(now), share);
}
const mostInAMinute = (sent: number[]) =>
  Math.max(...sent.map((at) => sent.filter((other) => other > at - 60_000 && other <= at).length));

test("the budget keeps a thousand requests under 250 in any minute, in their order", async () => {
  const clock = { now: 0 };
  const budget = aBudget(clock);
  const sent: number[] = [];
  await Promise.all(
    Array.from({ length: 1000 }, async () => {
      await budget.take();
      sent.push(clock.now);
    }),
  );
  expect(sent).toEqual([...sent].sort((a, b) => a - b));
  expect(mostInAMinute(sent)).toBeLessThanOrEqual(250);
  // Whoever is told to wait makes everybody wait.
  const before = clock.now;
  budget.pauseFor(30_000);
  await budget.take();
  expect(clock.now).toBeGreaterThanOrEqual(before + 30_000);
});

test("two workers and the dashboard together keep to the limits, and the dashboard is not kept waiting", async () => {
  const clock = { now: 0 };
  const ledger = createLedger(() => clock.now);
  const workers = [1, 2].map(() => aBudget(clock, ledger, budgetShares.worker));
  const web = aBudget(clock, ledger, budgetShares.web);
  const sent: number[] = [];
  for (let request = 0; request < 500; request += 1) {
    for (const worker of workers) {
      await worker.take();
      sent.push(clock.now);
    }
    const before = clock.now;
    if (request % 50 === 0) {
      await web.take();
      sent.push(clock.now);
      expect(clock.now).toBe(before);
    }
  }
  expect(mostInAMinute(sent)).toBeLessThanOrEqual(250);
  expect(mostInAMinute(sent)).toBeGreaterThan(150);
});

test("the hour's limit holds as well, and what is far away is handed back", async () => {
  const clock = { now: 0 };
  const budget = aBudget(clock);
  let sent = 0;
  const spent = (async () => {
    for (; ; sent += 1) await budget.take();
  })();
  await expect(spent).rejects.toBeInstanceOf(BudgetSpent);
  expect(sent).toBe(4900);
  expect(clock.now).toBeLessThan(3_600_000);
});

test("a busy process leases rarely, and one that hardly asks leases no more than it needs", async () => {
  const clock = { now: 0 };
  const sizes: number[] = [];
  const own = createLedger(() => clock.now);
  const budget = aBudget(clock, {
    lease(wanted, share) {
      sizes.push(wanted);
      return own.lease(wanted, share);
    },
  });
  for (let request = 0; request < 200; request += 1) await budget.take();
  expect(sizes.length).toBeLessThan(20);
  sizes.length = 0;
  for (let request = 0; request < 5; request += 1) {
    clock.now += 10_000;
    await budget.take();
  }
  expect(sizes).toEqual([1, 1, 1, 1, 1]);
});

test("an hour of leases is kept as little more than one for each minute", () => {
  let leases: Lease[] = [];
  for (let at = 0; at < 4_000_000; at += 1000) ({ leases } = grantLease(leases, { at, wanted: 1, share: 1 }));
  expect(leases.length).toBeLessThan(200);
  expect(leases.reduce((sum, { requests }) => sum + requests, 0)).toBeGreaterThan(3600);
});

test("a request that is given up while it waits its turn holds nobody up", async () => {
  const abort = new AbortController();
  const budget = aBudget({ now: 0 });
  abort.abort(new Error("given up"));
  await expect(budget.take(abort.signal)).rejects.toThrow("given up");
  await budget.take();
});

test.each([-3_600_000, 3_600_000])(
  "a wall clock set by %i ms freezes neither list nor budget",
  async (jump) => {
    const clock = { now: 1_800_000_000_000, monotonic: 0 };
    const cloud = createDigitalOcean({
      ...{ token, apiUrl, now: () => clock.now, monotonic: () => clock.monotonic },
      wait: async (ms) => {
        clock.monotonic += ms;
      },
    });
    let ids = [1];
    respond = () => ({ status: 200, body: { droplets: ids.map((id) => droplet(id)) } });
    expect((await cloud.listDroplets()).map(({ id }) => id)).toEqual([1]);
    clock.now += jump;
    ids = [1, 2];
    // Young enough still: a jump makes it no older.
    expect((await cloud.listDroplets()).map(({ id }) => id)).toEqual([1]);
    clock.monotonic += 1500;
    expect((await cloud.listDroplets()).map(({ id }) => id)).toEqual([1, 2]);
  },
);

test("the limit's end is reckoned by DigitalOcean's own clock", async () => {
  const clock = { monotonic: 0 };
  const cloud = createDigitalOcean({
    ...{ token, apiUrl, monotonic: () => clock.monotonic },
    // An hour ahead of DigitalOcean's.
    now: () => Date.parse("2027-01-15T09:00:00Z"),
    wait: async (ms) => {
      clock.monotonic += ms;
    },
  });
  const reset = Date.parse("2027-01-15T08:00:30Z") / 1000;
  const headers = {
    date: "Fri, 15 Jan 2027 08:00:00 GMT",
    "ratelimit-remaining": "0",
    "ratelimit-reset": `${reset}`,
  };
  respond = () => ({ status: 200, body: { droplets: [] }, headers });
  await cloud.listDroplets();
  clock.monotonic = 1500;
  await cloud.listDroplets();
  expect(clock.monotonic).toBe(30_000);
});

describe("for a caller that was overtaken while its request waited", () => {
  const caller = (mayAct: () => void) => ({ signal: new AbortController().signal, mayAct });
  const overtaken = caller(() => {
    throw new Error("overtaken");
  });

  test("nothing that changes something is sent", async () => {
    respond = () => ({ status: 204 });
    const cloud = client().for(overtaken);
    await expect(cloud.destroyDroplet(1)).rejects.toThrow("overtaken");
    await expect(cloud.dropletAction(1, { type: "power_on" })).rejects.toThrow("overtaken");
    await expect(cloud.deleteSnapshot(1)).rejects.toThrow("overtaken");
    expect(seen).toEqual([]);
  });

  test("a look is a look", async () => {
    respond = () => ({ status: 200, body: { droplet: droplet(1) } });
    expect(await client().for(overtaken).getDroplet(1)).toMatchObject({ id: 1 });
  });

  test("it is asked after the wait for the budget, and before each repetition", async () => {
    const order: string[] = [];
    respond = () => {
      order.push("sent");
      return { status: 503, body: { message: "away" } };
    };
    const cloud = client({ wait: async () => void order.push("waited") }).for(
      caller(() => {
        order.push("asked");
        if (order.length > 4) throw new Error("overtaken");
      }),
    );
    await expect(cloud.destroyDroplet(1)).rejects.toThrow("overtaken");
    expect(order).toEqual(
      ["asked", "sent", "waited", "asked", "sent", "waited", "asked"].slice(0, order.length),
    );
    expect(order.at(-1)).toBe("asked");
  });

  test("its signal ends a request, and one that may have arrived stays unclear", async () => {
    const abort = new AbortController();
    let arrived = (): void => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    respond = () => {
      arrived();
      return "silence";
    };
    const cloud = client().for({ signal: abort.signal, mayAct: () => {} });
    const asked = failureOf(cloud.dropletAction(1, { type: "reboot" }));
    await arrival;
    abort.abort(new Error("given up"));
    expect(await asked).toMatchObject({ unclear: true });
  });
});
