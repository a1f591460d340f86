import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  act,
  actionOf,
  addressOf,
  createClient,
  dropletOf,
  ended,
  errorOf,
  image,
  keyIdOf,
  ready,
  recordIdOf,
  startTestCloud,
  type TestCloud,
} from "#local-cloud/testing/testCloud.ts";
import { loadOpenapi } from "#local-cloud/testing/testOpenapi.ts";
import { testToken } from "#local-cloud/testing/testToken.ts";

const openapi = loadOpenapi();
const missing = "missing" in openapi ? openapi.missing : undefined;
if (missing !== undefined) console.log(`Skipped: ${missing}`);
const judge = "missing" in openapi ? undefined : openapi;

const list = (key: string) =>
  z
    .looseObject({ links: z.looseObject({}), meta: z.object({ total: z.number() }) })
    .transform((body) => ({ ...body, items: z.array(z.looseObject({})).parse(body[key]) }));

describe.skipIf(judge === undefined)(`every operation, judged by DigitalOcean's document`, () => {
  let cloud: TestCloud;
  let key = 0;
  const ask = createClient(() => cloud, judge?.check);
  beforeAll(async () => {
    cloud = await startTestCloud("127.101", { dropletLimit: 25 });
    key = keyIdOf(await ask("POST", "/account/keys", { name: "first", public_key: cloud.publicKey }));
  });
  afterAll(() => cloud.stop());

  const create = (body: object) =>
    ask("POST", "/droplets", { name: "web-1", region: "fra1", size: "s-1vcpu-1gb", image, ...body });
  const made = async (body: object = {}) => ready(ask, dropletOf(await create(body)).id);

  test("account, regions and sizes", async () => {
    expect((await ask("GET", "/account")).status).toBe(200);
    expect(list("regions").parse((await ask("GET", "/regions")).body).items.length).toBe(9);
    const sizes = list("sizes").parse((await ask("GET", "/sizes?per_page=200")).body).items;
    expect(sizes.find((size) => size.slug === "s-1vcpu-2gb")?.price_monthly).toBe(12);
  });

  test.each(["", "test", `${testToken}x`])("with the token %j everything is 401", async (token) => {
    for (const { method, path } of judge?.operations ?? []) {
      const concrete = path.replace("/v2", "").replace(/\{[^}]+\}/g, "1");
      const answer = await ask(method, concrete, undefined, { authorization: `Bearer ${token}` });
      expect(answer.status, `${method} ${path}`).toBe(401);
      expect(errorOf(answer)).toMatchObject({ id: "unauthorized", message: "Unable to authenticate you." });
    }
  });

  test("what does not exist is 404 everywhere", async () => {
    for (const { method, path } of judge?.operations ?? []) {
      if (!path.includes("{")) continue;
      const concrete = path
        .replace("/v2", "")
        .replace("{project_id}", "4de7ac8b-495b-4884-9a69-1050c6793cd6");
      const answer = await ask(method, concrete.replace(/\{[^}]+\}/g, "999999999"), {
        type: "reboot",
        name: "x",
        resources: [],
      });
      expect(answer.status, `${method} ${path}`).toBe(404);
      expect(errorOf(answer).id).toBe("not_found");
    }
    expect((await ask("POST", "/droplets/actions?tag_name=nobody", { type: "reboot" })).status).toBe(404);
    expect((await ask("DELETE", "/droplets?tag_name=nobody")).status).toBe(404);
  });

  test("ssh keys by id and by fingerprint", async () => {
    const again = await ask("POST", "/account/keys", { name: "again", public_key: cloud.publicKey });
    expect(again.status).toBe(422);
    expect(errorOf(again).message).toBe("SSH Key is already in use on your account");
    expect((await ask("POST", "/account/keys", { name: "bad", public_key: "ssh-rsa nonsense" })).status).toBe(
      422,
    );
    const rsa =
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl other@example.com";
    const created = await ask("POST", "/account/keys", { name: "other", public_key: rsa });
    expect(created.status).toBe(201);
    const { fingerprint, id } = z
      .object({ ssh_key: z.object({ id: z.number(), fingerprint: z.string() }) })
      .parse(created.body).ssh_key;
    expect(fingerprint).toMatch(/^([0-9a-f]{2}:){15}[0-9a-f]{2}$/);
    expect((await ask("GET", `/account/keys/${fingerprint}`)).status).toBe(200);
    expect((await ask("PUT", `/account/keys/${id}`, { name: "renamed" })).body).toMatchObject({
      ssh_key: { name: "renamed" },
    });
    expect(list("ssh_keys").parse((await ask("GET", "/account/keys")).body).meta.total).toBe(2);
    expect((await ask("DELETE", `/account/keys/${fingerprint}`, {})).status).toBe(204);
    expect((await ask("GET", `/account/keys/${id}`)).status).toBe(404);
  });

  test("a create call is checked in DigitalOcean's words", async () => {
    const refused = async (body: object) => {
      const answer = await create(body);
      expect(answer.status, JSON.stringify(body)).toBe(422);
      expect(errorOf(answer).id).toBe("unprocessable_entity");
      return errorOf(answer).message;
    };
    expect(await refused({ image: "windows" })).toBe("You specified an invalid image for Droplet creation.");
    expect(await refused({ size: "huge" })).toBe("You specified an invalid size for Droplet creation.");
    expect(await refused({ region: "mars1" })).toBe("You specified an invalid region for Droplet creation.");
    expect(await refused({ ssh_keys: [12] })).toBe("12 are invalid key identifiers for Droplet creation.");
    expect(await refused({ name: "no spaces" })).toContain("Only valid hostname characters are allowed.");
    expect(await refused({ name: null })).toBe("Name can't be blank");
    expect(await refused({ names: Array.from({ length: 11 }, (_, n) => `n${n}`), name: null })).toContain(
      "10",
    );
    expect(await refused({ tags: ["no spaces"] })).toContain("Tag");
    expect(await refused({ user_data: "x".repeat(65_537) })).toContain("64 KiB");
    expect((await ask("POST", "/droplets", "{")).status).toBe(400);
  });

  test("one droplet from new to gone", async () => {
    const created = await create({
      ssh_keys: [String(key)],
      tags: ["spawner", "Web"],
      image: "1130001",
      vpc_uuid: null,
      volumes: null,
      user_data: null,
      ipv6: true,
      unknown_option: { any: 1 },
    });
    expect(created.status).toBe(202);
    expect(dropletOf(created)).toMatchObject({ status: "new", networks: { v4: [] } });
    const { id } = dropletOf(created);
    const droplet = await ready(ask, id);
    expect(addressOf(droplet)).toMatch(/^127\.101\./);
    expect(droplet.features).toContain("ipv6");
    expect((await ask("GET", "/droplets?tag_name=spawner&per_page=200", undefined)).status).toBe(200);
    const byTag = list("droplets").parse((await ask("GET", "/droplets/?tag_name=SPAWNER")).body);
    expect(byTag.items.map((item) => item.id)).toContain(id);
    const byName = list("droplets").parse((await ask("GET", "/droplets?name=WEB-1")).body);
    expect(byName.items.map((item) => item.id)).toContain(id);
    expect((await ask("GET", "/droplets?name=web-1&tag_name=spawner")).status).toBe(422);
    for (const below of ["snapshots", "backups", "actions"]) {
      expect((await ask("GET", `/droplets/${id}/${below}`)).status).toBe(200);
    }
    expect((await ask("DELETE", `/droplets/${id}/`, {})).status).toBe(204);
    expect((await ask("GET", `/droplets/${id}`)).status).toBe(404);
    expect((await ask("DELETE", `/droplets/${id}`)).status).toBe(404);
  });

  test("actions, one at a time", async () => {
    const { id } = await made({ name: "acts" });
    const first = await ask("POST", `/droplets/${id}/actions`, { type: "reboot" });
    expect(actionOf(first)).toMatchObject({ status: "in-progress", type: "reboot" });
    const second = await ask("POST", `/droplets/${id}/actions/`, { type: "power_off" });
    expect(second.status).toBe(422);
    expect(errorOf(second).message).toBe("Droplet already has a pending event.");
    expect((await ask("DELETE", `/droplets/${id}`)).status).toBe(422);
    expect(await ended(ask, actionOf(first).id)).toBe("completed");
    expect((await ask("GET", `/droplets/${id}/actions/${actionOf(first).id}`)).status).toBe(200);
    expect(errorOf(await ask("POST", `/droplets/${id}/actions`, { type: "fly" })).message).toContain("fly");
    const on = await ask("POST", `/droplets/${id}/actions`, { type: "resize", size: "s-1vcpu-2gb" });
    expect(errorOf(on).message).toBe("Droplet is currently on. Please power it off to run this event.");
    expect(await act(ask, id, { type: "shutdown" })).toBe("completed");
    expect(dropletOf(await ask("GET", `/droplets/${id}`)).status).toBe("off");
    expect(await act(ask, id, { type: "resize", size: "s-1vcpu-2gb", disk: true })).toBe("completed");
    const small = await ask("POST", `/droplets/${id}/actions`, { type: "resize", size: "s-1vcpu-1gb" });
    expect(errorOf(small).message).toBe("This size is not available because it has a smaller disk.");
    expect(dropletOf(await ask("GET", `/droplets/${id}`))).toMatchObject({
      size_slug: "s-1vcpu-2gb",
      disk: 50,
    });
    for (const action of [
      { type: "power_on" },
      { type: "power_on" },
      { type: "power_cycle" },
      { type: "rename", name: "renamed" },
      { type: "password_reset" },
      { type: "enable_backups" },
      { type: "change_backup_policy", backup_policy: { plan: "weekly" } },
      { type: "disable_backups" },
      { type: "enable_ipv6" },
      { type: "change_kernel", kernel: 1 },
      { type: "rebuild", image },
      { type: "power_off" },
    ]) {
      expect(await act(ask, id, action), action.type).toBe("completed");
    }
    expect(dropletOf(await ask("GET", `/droplets/${id}`))).toMatchObject({ name: "renamed", status: "off" });
    expect(list("actions").parse((await ask("GET", "/actions?per_page=3")).body).items).toHaveLength(3);
    await ask("DELETE", `/droplets/${id}`);
  });

  test("snapshots are images", async () => {
    const { id } = await made({ name: "origin" });
    const asked = await ask("POST", `/droplets/${id}/actions`, { type: "snapshot", name: "kept" });
    const action = actionOf(asked);
    expect(await ended(ask, action.id)).toBe("completed");
    const [imageId = 0] = dropletOf(await ask("GET", `/droplets/${id}`)).snapshot_ids;
    const shown = await ask("GET", `/snapshots/${imageId}/`);
    expect(shown.body).toMatchObject({
      snapshot: { id: String(imageId), name: "kept", resource_id: String(id), created_at: action.started_at },
    });
    expect((await ask("GET", `/droplets/${id}/snapshots`)).body).toMatchObject({
      snapshots: [{ id: imageId }],
    });
    expect((await ask("GET", "/snapshots?resource_type=droplet")).status).toBe(200);
    expect(list("snapshots").parse((await ask("GET", "/snapshots?resource_type=volume")).body).items).toEqual(
      [],
    );
    expect(list("images").parse((await ask("GET", "/images?private=true")).body).items).toHaveLength(1);
    expect(list("images").parse((await ask("GET", "/images?type=application")).body).items).toEqual([]);
    expect((await ask("GET", "/images?type=distribution")).status).toBe(200);
    expect((await ask("GET", `/images/${image}`)).status).toBe(200);
    expect((await ask("GET", "/snapshots/1130001")).status).toBe(400);
    expect((await ask("DELETE", "/snapshots/1130001")).status).toBe(400);
    expect((await ask("DELETE", "/images/1130001")).status).toBe(403);
    expect((await create({ image: "kept" })).status).toBe(422);
    expect(
      (await ask("PUT", `/images/${imageId}`, { name: "named", distribution: "Debian" })).body,
    ).toMatchObject({
      image: { name: "named", public: false, slug: null, type: "snapshot" },
    });

    const elsewhere = await create({ image: imageId, region: "nyc3" });
    expect(elsewhere.status).toBe(422);
    expect((await ask("POST", `/images/${imageId}/actions`, { type: "fly" })).status).toBe(422);
    const transfer = await ask("POST", `/images/${imageId}/actions`, { type: "transfer", region: "nyc3" });
    expect(transfer.status).toBe(201);
    const { id: transferId } = z.object({ id: z.number() }).parse(transfer.body);
    expect((await ask("GET", `/images/${imageId}/actions/${transferId}`)).status).toBe(200);
    expect((await ask("GET", `/images/${imageId}/actions`)).status).toBe(200);
    expect(await ended(ask, transferId)).toBe("completed");
    const copy = await made({ name: "copy", image: String(imageId), region: "nyc" });
    expect(await act(ask, copy.id, { type: "restore", image: imageId })).toBe("completed");

    expect((await ask("DELETE", `/droplets/${id}`)).status).toBe(204);
    expect((await ask("GET", `/snapshots/${imageId}`)).status).toBe(200);
    expect((await ask("DELETE", `/snapshots/${imageId}`)).status).toBe(204);
    expect((await ask("DELETE", `/images/${imageId}`)).status).toBe(404);
    const second = await ask("POST", `/droplets/${copy.id}/actions`, { type: "snapshot", name: "second" });
    await ended(ask, actionOf(second).id);
    const [other = 0] = dropletOf(await ask("GET", `/droplets/${copy.id}`)).snapshot_ids;
    expect((await ask("DELETE", `/images/${other}`)).status).toBe(204);
    await ask("DELETE", `/droplets/${copy.id}`);
  });

  test("destroy with associated resources", async () => {
    const one = await made({ name: "one" });
    const two = await made({ name: "two" });
    const base = (id: number) => `/droplets/${id}/destroy_with_associated_resources`;
    for (const { id } of [one, two])
      expect(await act(ask, id, { type: "snapshot", name: `of-${id}` })).toBe("completed");
    expect((await ask("GET", base(one.id))).body).toMatchObject({ snapshots: [{ name: `of-${one.id}` }] });
    expect((await ask("DELETE", `${base(one.id)}/dangerous`)).status).toBe(422);
    expect((await ask("DELETE", `${base(one.id)}/dangerous`, {}, { "x-dangerous": "true" })).status).toBe(
      202,
    );
    expect((await ask("DELETE", `${base(two.id)}/selective`, { snapshots: [] })).status).toBe(202);
    expect((await ask("GET", `${base(one.id)}/status`)).body).toMatchObject({ failures: 0 });
    expect((await ask("POST", `${base(one.id)}/retry`)).status).toBe(202);
    const left = list("snapshots").parse((await ask("GET", "/snapshots")).body).items;
    expect(left.map((item) => item.name)).toEqual([`of-${two.id}`]);
  });

  test("several at once, by tag, and the droplet limit", async () => {
    const names = ["a", "b", "c"];
    const created = await create({ name: undefined, names, tags: ["crowd"] });
    expect(created.body).toMatchObject({ droplets: names.map((name) => ({ name })) });
    const { droplets } = z.object({ droplets: z.array(z.object({ id: z.number() })) }).parse(created.body);
    for (const { id } of droplets) await ready(ask, id);
    const bulk = await ask("POST", "/droplets/actions?tag_name=crowd", { type: "power_off" });
    expect(bulk.status).toBe(201);
    const { actions } = z.object({ actions: z.array(z.object({ id: z.number() })) }).parse(bulk.body);
    for (const { id } of actions) expect(await ended(ask, id)).toBe("completed");
    expect((await ask("POST", "/droplets/actions?tag_name=crowd", { type: "resize" })).status).toBe(422);

    const first = z.looseObject({ links: z.object({ pages: z.object({ next: z.string() }) }) });
    const page = await ask("GET", "/droplets?per_page=2&tag_name=crowd");
    const { next } = first.parse(page.body).links.pages;
    expect(next).toContain("tag_name=crowd");
    const rest = await ask("GET", next.replace(`${cloud.apiUrl}/v2`, ""));
    expect(list("droplets").parse(rest.body)).toMatchObject({ meta: { total: 3 }, items: [{ name: "c" }] });

    expect((await ask("DELETE", "/droplets")).status).toBe(422);
    expect((await ask("DELETE", "/droplets?tag_name=crowd", "null")).status).toBe(204);
    for (const { id } of droplets) expect((await ask("GET", `/droplets/${id}`)).status).toBe(404);
    const ten = Array.from({ length: 10 }, (_, n) => `many-${n}`);
    await create({ name: null, names: ten, tags: ["many"] });
    await create({ name: null, names: ten, tags: ["many"] });
    expect(errorOf(await create({ name: null, names: ten })).message).toBe(
      "creating this/these droplet(s) will exceed your droplet limit",
    );
    expect((await ask("DELETE", "/droplets?tag_name=many")).status).toBe(204);
  });

  test("domains and records", async () => {
    const created = await ask("POST", "/domains", { name: "example.localhost", ip_address: "127.101.9.9" });
    expect(created.body).toEqual({ domain: { name: "example.localhost", ttl: 1800, zone_file: null } });
    const again = await ask("POST", "/domains", { name: "example.localhost" });
    expect(again.status).toBe(422);
    expect((await ask("POST", "/domains", { name: "no spaces" })).status).toBe(422);
    expect((await ask("GET", "/domains")).status).toBe(200);
    expect((await ask("GET", "/domains/example.localhost")).status).toBe(200);
    const base = "/domains/example.localhost/records";
    const records = async (query = "") =>
      list("domain_records").parse((await ask("GET", base + query)).body).items;
    expect((await records()).map((record) => record.type)).toEqual(["NS", "NS", "NS", "A"]);

    const add = (body: object) => ask("POST", base, body);
    for (const name of ["www", "www.example.localhost", "www.example.localhost."]) {
      const answer = await add({ type: "A", name, data: "127.101.0.9", ttl: 30 });
      expect(answer).toMatchObject({
        status: 201,
        body: { domain_record: { name: "www", ttl: 30, tag: null } },
      });
    }
    expect(await records("?name=www.example.localhost&type=A")).toHaveLength(3);
    expect(await records("?name=www")).toHaveLength(0);
    expect(await records("?name=example.localhost&type=A")).toHaveLength(1);
    const message = async (body: object) => {
      const answer = await add(body);
      expect(answer.status).toBe(422);
      return errorOf(answer).message;
    };
    const cname = { type: "CNAME", name: "alias", data: "www.example.localhost." };
    expect(await message({ ...cname, data: "www.example.localhost" })).toBe(
      "Data needs to end with a dot (.)",
    );
    expect(await message({ ...cname, name: "www" })).toBe(
      "CNAME records cannot share a name with other records",
    );
    expect((await add(cname)).status).toBe(201);
    expect(await message({ type: "A", name: "alias", data: "127.0.0.1" })).toBe(
      "records cannot share a name with a CNAME record",
    );
    expect(await message({ type: "A", name: "x", data: "127.0.0.1", ttl: 29 })).toBe(
      "record ttl must be greater than 30",
    );
    expect(await message({ type: "A", name: "x", data: "somewhere" })).toContain("IPv4");
    expect(await message({ type: "NONSENSE", name: "x", data: "y" })).toContain("type");
    expect(
      (await add({ type: "TXT", name: "_acme-challenge.www.example.localhost.", data: "t" })).status,
    ).toBe(201);
    expect((await add({ type: "MX", name: "@", data: "mail.example.localhost.", priority: 10 })).status).toBe(
      201,
    );
    expect(
      (await add({ type: "CAA", name: "@", data: "letsencrypt.org.", flags: 0, tag: "issue" })).status,
    ).toBe(201);
    expect((await add({ type: "AAAA", name: "six", data: "2001:db8::1" })).status).toBe(201);
    const srv = {
      type: "SRV",
      name: "_sip._tcp",
      data: "sip.example.localhost.",
      priority: 1,
      port: 5060,
      weight: 2,
    };
    const id = recordIdOf(await add(srv));
    // Terraform leaves the type out.
    expect(
      (await ask("PUT", `${base}/${id}`, { port: 5061, data: "sip.example.localhost." })).body,
    ).toMatchObject({
      domain_record: { type: "SRV", port: 5061, weight: 2 },
    });
    expect((await ask("PUT", `${base}/${id}`, { type: "SRV", ttl: 60 })).status).toBe(422);
    expect((await ask("PATCH", `${base}/${id}`, { type: "SRV", ttl: 60, data: srv.data })).status).toBe(200);
    expect((await ask("GET", `${base}/${id}`)).body).toMatchObject({ domain_record: { ttl: 60 } });
    expect((await ask("DELETE", `${base}/${id}`)).status).toBe(204);
    expect((await ask("GET", `${base}/${id}`)).status).toBe(404);
    expect((await ask("DELETE", "/domains/example.localhost")).status).toBe(204);
  });

  test("tags", async () => {
    const droplet = await made({ name: "tagged", tags: [] });
    expect((await ask("POST", "/tags", { name: "Blue" })).status).toBe(201);
    expect((await ask("POST", "/tags", { name: "no spaces" })).status).toBe(400);
    const resources = [{ resource_id: String(droplet.id), resource_type: "droplet" }];
    expect((await ask("POST", "/tags/blue/resources", { resources })).status).toBe(204);
    expect((await ask("GET", "/tags/blue")).body).toMatchObject({
      tag: { name: "Blue", resources: { count: 1 } },
    });
    expect(dropletOf(await ask("GET", `/droplets/${droplet.id}`)).tags).toEqual(["Blue"]);
    expect((await ask("DELETE", "/tags/blue/resources", { resources })).status).toBe(204);
    expect((await ask("GET", "/tags")).status).toBe(200);
    expect((await ask("DELETE", "/tags/blue")).status).toBe(204);
    await ask("DELETE", `/droplets/${droplet.id}`);
  });

  test("projects and firewalls are there for the clients that ask", async () => {
    const { id } = await made({ name: "projected" });
    expect(list("firewalls").parse((await ask("GET", "/firewalls")).body).items).toEqual([]);
    const [project] = list("projects").parse((await ask("GET", "/projects")).body).items;
    const base = `/projects/${String(project?.id)}/resources`;
    expect((await ask("GET", base)).body).toMatchObject({
      resources: [{ urn: `do:droplet:${id}`, status: "ok" }],
    });
    const resources = [`do:droplet:${id}`, "do:droplet:1"];
    expect((await ask("POST", base, { resources })).body).toMatchObject({
      resources: [{ status: "already_assigned" }, { status: "not_found" }],
    });
    await ask("DELETE", `/droplets/${id}`);
  });

  test("all of the document's operations were seen to succeed", () => {
    const unseen = (judge?.operations ?? []).filter(
      ({ id }) => ![...(judge?.seen ?? [])].some((entry) => entry.startsWith(`${id} 2`)),
    );
    expect(unseen).toEqual([]);
  });
});
