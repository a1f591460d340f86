import { isIPv4 } from "node:net";
import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import type { DnsRecord, Domain } from "#local-cloud/host/state.ts";
import { type ApiContext, type Env, notFound, page, parseInput, readBody, unprocessable } from "./http.ts";
import { recordRoutes } from "./records.ts";

const nameServers = ["ns1.digitalocean.com", "ns2.digitalocean.com", "ns3.digitalocean.com"];
const domainName =
  /^(?=.{1,253}$)([a-z0-9_]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const createSchema = z.object({
  name: z.string({ error: "Name can't be blank" }),
  ip_address: z.string().nullish(),
});

const plain = { priority: null, port: null, weight: null, flags: null, tag: null };

/** The zone as a file, as DigitalOcean shows it once a domain exists. */
function zoneFile(domain: Domain): string {
  const lines = domain.records.map((record) => {
    const name = record.name === "@" ? `${domain.name}.` : `${record.name}.${domain.name}.`;
    const priority = record.priority === null ? "" : `${record.priority} `;
    const data = record.type === "NS" ? `${record.data}.` : record.data;
    return `${name} IN ${record.type} ${record.ttl} ${priority}${data}`;
  });
  return [`$ORIGIN ${domain.name}.`, "$TTL 1800", ...lines, ""].join("\n");
}

const view = (domain: Domain) => ({ name: domain.name, ttl: 1800, zone_file: zoneFile(domain) });

function findDomain(cloud: Cloud, name: string): Domain | undefined {
  return cloud.store.state.domains.find((domain) => domain.name === name.toLowerCase());
}

/** `/v2/domains` and their records. */
export function domainRoutes(cloud: Cloud): Hono<Env> {
  const { store } = cloud;
  const app = new Hono<Env>();
  const wanted = (c: ApiContext): Domain => {
    const domain = findDomain(cloud, c.req.param("domain") ?? "");
    if (domain === undefined) throw notFound();
    return domain;
  };
  app.get("/domains", (c) => c.json(page(c, "domains", store.state.domains, view)));
  app.post("/domains", async (c) => {
    const input = parseInput(createSchema, await readBody(c));
    const name = input.name.toLowerCase().replace(/\.$/, "");
    if (!domainName.test(name)) throw unprocessable("Name is not a valid domain name.");
    if (findDomain(cloud, name)) throw unprocessable("name already exists");
    if (input.ip_address && !isIPv4(input.ip_address)) throw unprocessable("IP address is invalid.");
    const record = (type: string, data: string): DnsRecord => ({
      ...plain,
      id: store.newId(),
      type,
      name: "@",
      data,
      ttl: 1800,
    });
    const records = nameServers.map((server) => record("NS", server));
    if (input.ip_address) records.push(record("A", input.ip_address));
    store.state.domains.push({ name, createdAt: Date.now(), records });
    await store.save();
    // The zone is written a moment later at DigitalOcean: the answer to the create has none.
    return c.json({ domain: { name, ttl: 1800, zone_file: null } }, 201);
  });
  app.get("/domains/:domain", (c) => c.json({ domain: view(wanted(c)) }));
  app.delete("/domains/:domain", async (c) => {
    const domain = wanted(c);
    store.state.domains = store.state.domains.filter((other) => other !== domain);
    await store.save();
    return c.body(null, 204);
  });
  app.route("/", recordRoutes(cloud, wanted));
  return app;
}
