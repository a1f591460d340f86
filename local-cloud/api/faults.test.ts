import http from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import {
  actionOf,
  bootedDroplet,
  createClient,
  dropletOf,
  ended,
  errorOf,
  execute,
  image,
  ready,
  startTestCloud,
  type TestCloud,
} from "#local-cloud/testing/testCloud.ts";
import { loadOpenapi } from "#local-cloud/testing/testOpenapi.ts";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";

const openapi = loadOpenapi();
const check = "missing" in openapi ? undefined : openapi.check;
let cloud: TestCloud;
const ask = createClient(() => cloud, check);
beforeAll(async () => {
  cloud = await startTestCloud("127.104");
});
afterAll(() => cloud.stop());
afterEach(async () => {
  await control("DELETE", "/_faults");
});

const control = (method: string, path: string, body?: object) =>
  fetch(`${cloud.apiUrl}${path}`, {
    method,
    headers: testAuthorization,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const fault = async (body: object): Promise<void> => {
  const answer = await control("POST", "/_faults", body);
  expect(answer.status, await answer.text()).toBe(201);
};
const create = (name: string) =>
  ask("POST", "/droplets", { name, size: "s-1vcpu-1gb", region: "fra1", image, tags: ["faulty"] });
const namesListed = async (): Promise<string[]> =>
  z
    .object({ droplets: z.array(z.object({ name: z.string() })) })
    .parse((await ask("GET", "/droplets?per_page=200")).body)
    .droplets.map((droplet) => droplet.name);

describe("faults of requests", () => {
  test("an answer instead of an effect, as often as asked, after as many as asked", async () => {
    await fault({
      kind: "status",
      status: 503,
      times: 2,
      match: { method: "post", path: "/v2/tags", after: 1 },
    });
    const statuses: number[] = [];
    for (const name of ["a", "b", "c", "d"]) statuses.push((await ask("POST", "/tags", { name })).status);
    expect(statuses).toEqual([201, 503, 503, 201]);
    expect((await ask("GET", "/tags/b")).status).toBe(404);
    const { faults } = z
      .object({ faults: z.array(z.object({ hits: z.number() })) })
      .parse(await (await control("GET", "/_faults")).json());
    expect(faults).toMatchObject([{ hits: 2 }]);
  });

  test("an answer in the words that were asked for", async () => {
    await fault({ kind: "status", status: 422, message: "Not today.", match: { path: "/v2/tags" } });
    expect(errorOf(await ask("POST", "/tags", { name: "worded" })).message).toBe("Not today.");
  });

  test.each([
    { kind: "latency", latencyMs: 1500 },
    { kind: "status", match: { route: "/v2/tags" } },
  ])("one that says what nobody understands is refused: %j", async (body) => {
    const answer = await control("POST", "/_faults", body);
    expect(answer.status).toBe(422);
    expect(await answer.text()).toMatch(/latencyMs|route/);
    const { faults } = z
      .object({ faults: z.array(z.unknown()) })
      .parse(await (await control("GET", "/_faults")).json());
    expect(faults).toEqual([]);
  });

  test("429 says how long to wait", async () => {
    await fault({ kind: "status", status: 429, ms: 3000, match: { path: "^/v2/(sizes|regions)$" } });
    const answer = await ask("GET", "/regions");
    expect(answer.status).toBe(429);
    expect(answer.headers.get("retry-after")).toBe("3");
    expect(errorOf(answer).message).toBe("API Rate limit exceeded.");
  });

  test("an error after the effect", async () => {
    await fault({ kind: "status-after-effect", status: 500, match: { path: "/v2/tags" } });
    expect((await ask("POST", "/tags", { name: "there" })).status).toBe(500);
    expect((await ask("GET", "/tags/there")).status).toBe(200);
  });

  test("a dropped connection, before and after the effect", async () => {
    await fault({ kind: "drop", match: { path: "/v2/tags" } });
    await expect(ask("POST", "/tags", { name: "never" })).rejects.toThrow();
    await fault({ kind: "drop-after-effect", match: { path: "/v2/tags" } });
    await expect(ask("POST", "/tags", { name: "silently" })).rejects.toThrow();
    expect((await ask("GET", "/tags/never")).status).toBe(404);
    expect((await ask("GET", "/tags/silently")).status).toBe(200);
  });

  test("a time-out, before and after the effect", async () => {
    await fault({ kind: "timeout", ms: 100, match: { path: "/v2/tags" } });
    await expect(ask("POST", "/tags", { name: "late" })).rejects.toThrow();
    await fault({ kind: "timeout-after-effect", ms: 100, match: { path: "/v2/tags" } });
    await expect(ask("POST", "/tags", { name: "later" })).rejects.toThrow();
    expect((await ask("GET", "/tags/late")).status).toBe(404);
    expect((await ask("GET", "/tags/later")).status).toBe(200);
  });

  test("latency changes nothing but the time", async () => {
    await fault({ kind: "latency", ms: 10, match: { path: "/v2/account" } });
    expect((await ask("GET", "/account")).status).toBe(200);
  });

  test("a fault that makes no sense is refused", async () => {
    const answer = await control("POST", "/_faults", { kind: "rain" });
    expect(answer.status).toBe(422);
  });
});

describe("faults of objects", () => {
  test("an errored action leaves the droplet as it was", async () => {
    const { id } = await bootedDroplet(cloud, ask, "sturdy");
    await fault({ kind: "errored-action" });
    const asked = await ask("POST", `/droplets/${id}/actions`, { type: "power_off" });
    expect(await ended(ask, actionOf(asked).id)).toBe("errored");
    expect(dropletOf(await ask("GET", `/droplets/${id}`)).status).toBe("active");
  });

  test("a create that errors, by request or by the droplet's name", async () => {
    await fault({ kind: "errored-action" });
    for (const name of ["unlucky", "fault-errored-action"]) {
      const created = await create(name);
      const { links } = z
        .object({ links: z.object({ actions: z.array(z.object({ id: z.number() })) }) })
        .parse(created.body);
      expect(await ended(ask, links.actions[0]?.id ?? 0)).toBe("errored");
      expect(dropletOf(await ask("GET", `/droplets/${dropletOf(created).id}`)).status).toBe("new");
    }
  });

  test("never active, and still it can be deleted", async () => {
    await fault({ kind: "never-active" });
    const { id } = dropletOf(await create("sleeper"));
    const witness = dropletOf(await create("witness"));
    await ready(ask, witness.id);
    expect(dropletOf(await ask("GET", `/droplets/${id}`)).status).toBe("new");
    expect((await ask("DELETE", `/droplets/${id}`)).status).toBe(204);
  });

  test("active without an address", async () => {
    await fault({ kind: "no-address" });
    const created = await create("nowhere");
    const { id } = dropletOf(created);
    await vi.waitUntil(async () => dropletOf(await ask("GET", `/droplets/${id}`)).status === "active");
    const { links } = z
      .object({ links: z.object({ actions: z.array(z.object({ id: z.number() })) }) })
      .parse(created.body);
    expect(await ended(ask, links.actions[0]?.id ?? 0)).toBe("completed");
    expect(dropletOf(await ask("GET", `/droplets/${id}`)).networks.v4).toEqual([]);
  });

  test("SSH that refuses", async () => {
    await fault({ kind: "ssh-refused" });
    const droplet = await ready(ask, dropletOf(await create("closed")).id);
    const address = droplet.networks.v4.find((one) => one.type === "public")?.ip_address ?? "";
    await expect(execute(cloud, address, "true")).rejects.toThrow(/ECONNREFUSED/);
  });
});

test("lists lag behind creates and deletes, single objects do not", async () => {
  const lagging = await startTestCloud("127.105", { listLagMs: 700 });
  try {
    const askLagging = createClient(() => lagging, check);
    const listed = async () =>
      z.object({ meta: z.object({ total: z.number() }) }).parse((await askLagging("GET", "/droplets")).body)
        .meta.total;
    const created = await askLagging("POST", "/droplets", { name: "late", size: "s-1vcpu-1gb", image });
    const { id } = dropletOf(created);
    expect((await askLagging("GET", `/droplets/${id}`)).status).toBe(200);
    expect(await listed()).toBe(0);
    await vi.waitUntil(async () => (await listed()) === 1, { timeout: 5_000 });
    expect((await askLagging("DELETE", `/droplets/${id}`)).status).toBe(204);
    expect((await askLagging("GET", `/droplets/${id}`)).status).toBe(404);
    expect(await listed()).toBe(1);
    await vi.waitUntil(async () => (await listed()) === 0, { timeout: 5_000 });
  } finally {
    await lagging.stop();
  }
});

test("the rate limit counts, warns and refuses", async () => {
  const strict = await startTestCloud("127.106", { ratePerMinute: 12, ratePerHour: 15 });
  try {
    const askStrict = createClient(() => strict, check);
    const first = await askStrict("GET", "/account");
    expect(first.headers.get("ratelimit-limit")).toBe("15");
    expect(first.headers.get("ratelimit-remaining")).toBe("14");
    expect(Number(first.headers.get("ratelimit-reset"))).toBeGreaterThan(Date.now() / 1000);
    for (let n = 0; n < 10; n += 1) expect((await askStrict("GET", "/account/keys")).status).toBe(200);
    // Listing keys has a limit of its own.
    expect((await askStrict("GET", "/account/keys")).status).toBe(429);
    expect((await askStrict("GET", "/account")).status).toBe(200);
    const refused = await askStrict("GET", "/account");
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(errorOf(refused)).toMatchObject({ id: "too_many_requests", message: "API Rate limit exceeded." });
  } finally {
    await strict.stop();
  }
});

test("requests are counted by operation", async () => {
  await control("DELETE", "/_requests");
  await ask("GET", "/droplets/1/");
  await ask("GET", "/droplets/2");
  await ask("GET", "/domains/x.localhost/records/3");
  expect(await (await control("GET", "/_requests")).json()).toEqual({
    total: 3,
    counts: { "GET /v2/domains/{domain}/records/{id}": 1, "GET /v2/droplets/{id}": 2 },
    answers: { "404": 3 },
  });
  expect(await namesListed()).not.toContain("never");
});

test("a body on GET and DELETE is tolerated", async () => {
  const send = (method: string, path: string, body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const headers = {
        ...testAuthorization,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      };
      const request = http.request(`${cloud.apiUrl}${path}`, { method, headers }, (answer) => {
        answer.resume();
        answer.on("end", () => resolve(answer.statusCode ?? 0));
      });
      request.on("error", reject);
      request.end(body);
    });
  expect(await send("GET", "/v2/droplets/", "null")).toBe(200);
  expect(await send("GET", "/v2/firewalls", "{}")).toBe(200);
  expect(await send("DELETE", "/v2/droplets/1", "null")).toBe(404);
});

test("the front page and the releases need no token", async () => {
  const front = await (await fetch(cloud.apiUrl)).text();
  expect(front).toContain("LOCAL_CLOUD_TOKEN");
  expect(await (await fetch(`${cloud.apiUrl}/releases`)).json()).toEqual({ versions: ["2.14.0", "2.13.0"] });
  const bytes = async () => (await fetch(`${cloud.apiUrl}/releases/intranet-2.13.0.tar.gz`)).arrayBuffer();
  expect(Buffer.from(await bytes()).equals(Buffer.from(await bytes()))).toBe(true);
  expect((await fetch(`${cloud.apiUrl}/releases/intranet-9.0.0.tar.gz`)).status).toBe(404);
});
