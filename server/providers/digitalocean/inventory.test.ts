import { expect, test } from "vitest";
import { createDigitalOcean } from "./digitalocean.ts";
import type { Fetch } from "./request.ts";

type Spoken = { status: number; body?: unknown };

/** The client against an account that answers as the test says; `asked` holds what it was asked. */
function clientOf(answer: (what: string) => Spoken) {
  const asked: string[] = [];
  const fetch: Fetch = async (url, { method, body }) => {
    const what = `${method} ${url.replace("https://cloud/v2/", "")}${body === undefined ? "" : ` ${body}`}`;
    asked.push(what);
    const { status, body: json } = answer(what);
    return { status, ok: status < 300, text: async () => JSON.stringify(json ?? ""), headers: new Headers() };
  };
  return { asked, cloud: createDigitalOcean({ token: "t", apiUrl: "https://cloud", fetch }) };
}

const next = { pages: { next: "https://cloud/v2/more" } };

test("lists are read to their last page", async () => {
  const record = (id: number) => ({ id, type: "A", name: `n${id}`, data: "203.0.113.1", ttl: 60 });
  const { asked, cloud } = clientOf((what) => ({
    status: 200,
    body: what.endsWith("page=1")
      ? { domain_records: [record(1)], links: next }
      : { domain_records: [record(2)] },
  }));
  expect((await cloud.listARecords("intranet.io"))?.map(({ id }) => id)).toEqual([1, 2]);
  expect(asked).toEqual([
    "GET domains/intranet.io/records?type=A&per_page=200&page=1",
    "GET domains/intranet.io/records?type=A&per_page=200&page=2",
  ]);
});

test("a snapshot of a droplet is found on whichever page it is", async () => {
  const snapshot = (id: number) => ({
    ...{ id, name: `acme-final-${id}`, size_gigabytes: 1, created_at: "2026-11-23T10:00:00Z" },
  });
  const { cloud } = clientOf((what) => ({
    status: 200,
    body: what.endsWith("page=1")
      ? { snapshots: [snapshot(1)], links: next, meta: { total: 2 } }
      : { snapshots: [snapshot(2)], meta: { total: 2 } },
  }));
  expect((await cloud.snapshotsOfDroplet(7)).map(({ id }) => id)).toEqual([1, 2]);
});

test("keys are compared without their comments", async () => {
  const key = { id: 1, name: "joe", fingerprint: "f", public_key: "ssh-ed25519 AAAA joe@laptop" };
  const { asked, cloud } = clientOf(() => ({ status: 200, body: { ssh_keys: [key] } }));
  expect(await cloud.listSshKeys()).toEqual(["ssh-ed25519 AAAA"]);
  expect(asked).toEqual(["GET account/keys?per_page=200&page=1"]);
});

test("the records of a domain that the account doesn't have are not an empty list", async () => {
  const { cloud } = clientOf(() => ({ status: 404 }));
  expect(await cloud.listARecords("intranet.io")).toBeUndefined();
});

test("a tag that somebody has deleted is made again", async () => {
  let exists = false;
  const { asked, cloud } = clientOf((what) => {
    if (what.startsWith("POST tags/")) return { status: exists ? 204 : 404 };
    exists = true;
    return { status: 201, body: {} };
  });
  await cloud.tagDroplet(7, "spawner");
  const assign = 'POST tags/spawner/resources {"resources":[{"resource_id":"7","resource_type":"droplet"}]}';
  expect(asked).toEqual([assign, 'POST tags {"name":"spawner"}', assign]);
});
