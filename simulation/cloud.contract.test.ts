import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { image, startTestCloud, type TestCloud } from "#local-cloud/testing/testCloud.ts";
import { testAuthorization } from "#local-cloud/testing/testToken.ts";
import { createCloud } from "./cloud.ts";
import { createFaults } from "./faults.ts";
import { type Machine, Process } from "./process.ts";
import { createRandom } from "./random.ts";
import { Timeline } from "./timeline.ts";

/**
 * One suite for both stand-ins of DigitalOcean: what the simulation's cloud and the local cloud answer to the requests
 * that the Spawner makes must be the same, or what the simulation proves would not hold.
 */

type Answer = { status: number; json: unknown };
type Subject = {
  ask: (method: string, path: string, body?: unknown) => Promise<Answer>;
  /** Lets a little time pass. */
  pass: () => Promise<void>;
  publicKey: string;
};

const headers = { ...testAuthorization, "content-type": "application/json" };

function simulated(): Subject {
  const timeline = new Timeline();
  const machine: Machine = {
    timeline,
    random: createRandom("contract"),
    wall: { base: Date.UTC(2027, 0, 1), shift: 0 },
    hasStrangersToken: false,
  };
  const nothing = () => {};
  const cloud = createCloud(machine, createFaults(timeline), {
    created: nothing,
    destroying: nothing,
    snapshotRemoved: nothing,
    recordChanged: nothing,
  });
  const fetch = cloud.fetchFor(new Process(machine, "test"));
  return {
    publicKey: "ssh-ed25519 AAAA",
    async ask(method, path, body) {
      let answer: Answer | undefined;
      const { signal } = new AbortController();
      const init = { method, headers, signal, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      void fetch(`https://api/v2/${path}`, init).then(async (response) => {
        const text = await response.text();
        answer = { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
      });
      await timeline.run(timeline.now + 1000, () => answer !== undefined);
      if (answer === undefined) throw new Error(`Nothing answers ${method} ${path}.`);
      return answer;
    },
    pass: () => timeline.run(timeline.now + 2000),
  };
}

let local: TestCloud;
function onLoopback(): Subject {
  return {
    get publicKey() {
      return local.publicKey;
    },
    async ask(method, path, body) {
      const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
      const response = await fetch(`${local.apiUrl}/v2/${path}`, init);
      const text = await response.text();
      return { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
    },
    pass: () => new Promise((next) => setTimeout(next, 50)),
  };
}

beforeAll(async () => {
  local = await startTestCloud("127.81", { listLagMs: 100, bootMs: 100 });
});
afterAll(() => local.stop());

const droplet = z.looseObject({
  id: z.number(),
  status: z.string(),
  networks: z.object({
    v4: z.array(z.object({ ip_address: z.string(), type: z.string() })),
    v6: z.array(z.unknown()),
  }),
  snapshot_ids: z.array(z.number()),
  size_slug: z.string(),
  tags: z.array(z.string()),
});
const dropletAnswer = z.object({ droplet });
const dropletList = z.object({
  droplets: z.array(droplet),
  links: z.looseObject({}),
  meta: z.object({ total: z.number() }),
});
const actionAnswer = z.object({ action: z.object({ id: z.number(), status: z.string(), type: z.string() }) });
const snapshots = z.object({
  snapshots: z.array(
    z.object({ id: z.coerce.number(), name: z.string(), resource_id: z.string().optional() }),
  ),
});
const snapshotIds = z.object({ snapshots: z.array(z.object({ id: z.string() })) });
const records = z.object({
  domain_records: z.array(z.object({ id: z.number(), name: z.string(), data: z.string() })),
});
const recordAnswer = z.object({
  domain_record: z.object({ id: z.number(), name: z.string(), data: z.string() }),
});
const refusal = z.object({ id: z.string(), message: z.string() });

describe.each([
  ["the simulation's cloud", simulated],
  ["the local cloud", onLoopback],
])("%s", (_name, create) => {
  const subject = create();
  const ask = subject.ask;
  const wish = (name: string, more: object = {}) => ({
    ...{ name, region: "fra1", size: "s-1vcpu-2gb", image, tags: ["spawner", `tag-${name}`] },
    ...more,
  });

  async function until(isSo: () => Promise<boolean>): Promise<void> {
    for (let look = 0; look < 400; look += 1) {
      if (await isSo()) return;
      await subject.pass();
    }
    throw new Error("It did not come to be.");
  }
  const get = async (id: number) => dropletAnswer.parse((await ask("GET", `droplets/${id}`)).json).droplet;
  const buy = async (name: string, more?: object) => {
    const answer = await ask("POST", "droplets", wish(name, more));
    expect(answer.status).toBe(202);
    return dropletAnswer.parse(answer.json).droplet;
  };
  async function active(name: string, more?: object): Promise<number> {
    const { id } = await buy(name, more);
    await until(async () => (await get(id)).status === "active");
    return id;
  }
  async function act(id: number, body: object): Promise<void> {
    let action: z.infer<typeof actionAnswer>["action"] | undefined;
    await until(async () => {
      const answer = await ask("POST", `droplets/${id}/actions`, body);
      if (answer.status === 201) action = actionAnswer.parse(answer.json).action;
      else expect(refusal.parse(answer.json).message).toMatch(/pending event/);
      return action !== undefined;
    });
    await until(async () => {
      const { status } = actionAnswer.parse((await ask("GET", `actions/${action?.id}`)).json).action;
      expect(status).not.toBe("errored");
      return status === "completed";
    });
  }
  const listed = async (tag: string) =>
    dropletList.parse((await ask("GET", `droplets?tag_name=${tag}&per_page=200`)).json).droplets;

  test("a droplet is new and has no address at first; lists show it in time, by its tag", async () => {
    const made = await buy("first");
    expect(made).toMatchObject({ status: "new", networks: { v4: [], v6: [] }, snapshot_ids: [] });
    await until(async () => (await listed("tag-first")).length === 1);
    expect(await listed("tag-nobody")).toEqual([]);
    await until(async () => {
      const { status, networks } = await get(made.id);
      return status === "active" && networks.v4.some(({ type }) => type === "public");
    });
    expect((await get(made.id)).networks.v4.map(({ type }) => type)).toEqual(["private", "public"]);
  });

  test("two creates with one tag are two droplets", async () => {
    const [one, two] = [await buy("twin"), await buy("twin")];
    expect(one.id).not.toBe(two.id);
    await until(async () => (await listed("tag-twin")).length === 2);
  });

  test("an image that does not exist buys nothing", async () => {
    const answer = await ask("POST", "droplets", wish("wrong", { image: 999999 }));
    expect(answer.status).toBe(422);
    expect(refusal.parse(answer.json)).toMatchObject({
      id: "unprocessable_entity",
      message: expect.stringMatching(/invalid image/),
    });
  });

  test("a deleted droplet answers 404, to a second DELETE as well, and leaves the lists", async () => {
    const id = await active("short-lived");
    expect((await ask("DELETE", `droplets/${id}`)).status).toBe(204);
    await until(async () => (await ask("GET", `droplets/${id}`)).status === 404);
    const answer = await ask("DELETE", `droplets/${id}`);
    expect(answer.status).toBe(404);
    expect(refusal.parse(answer.json).id).toBe("not_found");
    await until(async () => (await listed("tag-short-lived")).length === 0);
  });

  test("a snapshot of a droplet outlives it, and a droplet is made from it by its number", async () => {
    const id = await active("kept");
    await act(id, { type: "power_off" });
    await until(async () => (await get(id)).status === "off");
    await act(id, { type: "snapshot", name: "kept-final" });
    const ofDroplet = snapshots.parse(
      (await ask("GET", `droplets/${id}/snapshots?per_page=200`)).json,
    ).snapshots;
    expect(ofDroplet.map(({ name }) => name)).toEqual(["kept-final"]);
    expect((await get(id)).snapshot_ids).toEqual(ofDroplet.map((one) => one.id));
    await ask("DELETE", `droplets/${id}`);
    const [snapshot] = ofDroplet;
    const all = async () => (await ask("GET", "snapshots?resource_type=droplet&per_page=200")).json;
    await until(async () => snapshots.parse(await all()).snapshots.some((one) => one.id === snapshot?.id));
    // Among the snapshots the number is text.
    expect(snapshotIds.parse(await all()).snapshots.map((one) => one.id)).toContain(String(snapshot?.id));
    await active("returned", { image: snapshot?.id });
    expect((await ask("DELETE", `snapshots/${snapshot?.id}`)).status).toBe(204);
    expect((await ask("DELETE", `snapshots/${snapshot?.id}`)).status).toBe(404);
    expect((await ask("POST", "droplets", wish("late", { image: snapshot?.id }))).status).toBe(422);
  });

  test("a resize needs the droplet off, and changes its size", async () => {
    const id = await active("growing");
    await act(id, { type: "power_off" });
    await act(id, { type: "resize", disk: false, size: "s-2vcpu-4gb" });
    expect((await get(id)).size_slug).toBe("s-2vcpu-4gb");
    await act(id, { type: "power_on" });
    await until(async () => (await get(id)).status === "active");
  });

  test("one event at a time", async () => {
    const id = await active("busy");
    await act(id, { type: "power_off" });
    expect((await ask("POST", `droplets/${id}/actions`, { type: "power_on" })).status).toBe(201);
    const second = await ask("POST", `droplets/${id}/actions`, { type: "power_off" });
    expect(second.status).toBe(422);
    expect(refusal.parse(second.json).message).toMatch(/pending event/);
  });

  test("records: equal ones side by side, found by their full name, changed and removed by their id", async () => {
    expect((await ask("GET", "domains/contract.example")).status).toBe(404);
    expect((await ask("GET", "domains/contract.example/records?type=A&name=a.contract.example")).status).toBe(
      404,
    );
    expect((await ask("POST", "domains", { name: "contract.example" })).status).toBe(201);
    expect((await ask("POST", "domains", { name: "contract.example" })).status).toBe(422);
    expect((await ask("GET", "domains/contract.example")).status).toBe(200);
    const body = { type: "A", name: "a", data: "192.0.2.1", ttl: 60 };
    for (let time = 0; time < 2; time += 1)
      expect((await ask("POST", "domains/contract.example/records", body)).status).toBe(201);
    await ask("POST", "domains/contract.example/records", { ...body, name: "b" });
    const found = async (name: string) =>
      records.parse(
        (
          await ask(
            "GET",
            `domains/contract.example/records?type=A&name=${name}.contract.example&per_page=200`,
          )
        ).json,
      ).domain_records;
    const [first, second] = await found("a");
    expect(await found("a")).toHaveLength(2);
    expect(first?.name).toBe("a");
    const changed = await ask("PUT", `domains/contract.example/records/${first?.id}`, {
      ...body,
      data: "192.0.2.2",
    });
    expect(recordAnswer.parse(changed.json).domain_record).toMatchObject({
      id: first?.id,
      data: "192.0.2.2",
    });
    expect((await ask("DELETE", `domains/contract.example/records/${second?.id}`)).status).toBe(204);
    expect((await ask("DELETE", `domains/contract.example/records/${second?.id}`)).status).toBe(404);
    expect(await found("a")).toMatchObject([{ data: "192.0.2.2" }]);
    expect(await found("b")).toHaveLength(1);
  });

  test("the same SSH key is registered once", async () => {
    const body = { name: "spawner", public_key: subject.publicKey };
    expect((await ask("POST", "account/keys", body)).status).toBe(201);
    const again = await ask("POST", "account/keys", body);
    expect(again.status).toBe(422);
    expect(refusal.parse(again.json).message).toMatch(/already in use/);
  });

  test("the account has an id", async () => {
    const { json } = await ask("GET", "account");
    expect(z.object({ account: z.object({ uuid: z.string().min(1) }) }).safeParse(json).success).toBe(true);
  });
});
