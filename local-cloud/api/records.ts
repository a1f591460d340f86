import { isIPv4, isIPv6 } from "node:net";
import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import type { DnsRecord, Domain } from "#local-cloud/host/state.ts";
import {
  type ApiContext,
  type Env,
  idParameter,
  notFound,
  page,
  parseInput,
  readBody,
  unprocessable,
} from "./http.ts";

const types = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"];
const mustEndWithDot = ["CNAME", "MX", "NS", "SRV", "CAA"];

const number = z.coerce.number().int().min(0).nullish();
const recordSchema = z.object({
  type: z.string().nullish(),
  name: z.string().nullish(),
  data: z.string().nullish(),
  priority: number,
  port: number,
  ttl: number,
  weight: number,
  flags: number,
  tag: z.string().nullish(),
});
type RecordInput = z.output<typeof recordSchema>;

/** Relative to its domain, "@" for the apex; clients send relative names, "@" and full ones with or without dot. */
function relativeName(name: string, domain: string): string {
  const plain = name.toLowerCase().replace(/\.$/, "");
  if (plain === "" || plain === "@" || plain === domain) return "@";
  return plain.endsWith(`.${domain}`) ? plain.slice(0, -domain.length - 1) : plain;
}

export function fullName(record: DnsRecord, domain: string): string {
  return record.name === "@" ? domain : `${record.name}.${domain}`;
}

/** The record a request describes; `before` supplies what it leaves out. Throws 422 in DigitalOcean's words. */
function recordOf(input: RecordInput, domain: Domain, id: number, before?: DnsRecord): DnsRecord {
  const type = (input.type ?? before?.type ?? "").toUpperCase();
  if (!types.includes(type)) throw unprocessable("Type is not a valid record type.");
  const name = input.name ?? before?.name;
  if (name === undefined) throw unprocessable("Name can't be blank.");
  const record: DnsRecord = {
    id,
    type,
    name: relativeName(name, domain.name),
    data: checkedData(type, input, domain, before),
    priority: input.priority ?? before?.priority ?? (type === "MX" || type === "SRV" ? 0 : null),
    port: input.port ?? before?.port ?? (type === "SRV" ? 0 : null),
    ttl: input.ttl ?? before?.ttl ?? 1800,
    weight: input.weight ?? before?.weight ?? (type === "SRV" ? 0 : null),
    flags: input.flags ?? before?.flags ?? (type === "CAA" ? 0 : null),
    tag: input.tag ?? before?.tag ?? null,
  };
  if (record.ttl < 30) throw unprocessable("record ttl must be greater than 30");
  const labels = record.name === "@" ? [] : record.name.split(".");
  if (!labels.every((label, index) => /^[a-z0-9_-]{1,63}$/.test(label) || (index === 0 && label === "*"))) {
    throw unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)");
  }
  const neighbours = domain.records.filter((other) => other.name === record.name && other.id !== id);
  if (type === "CNAME" && neighbours.length > 0) {
    throw unprocessable("CNAME records cannot share a name with other records");
  }
  if (neighbours.some((other) => other.type === "CNAME")) {
    throw unprocessable("records cannot share a name with a CNAME record");
  }
  return record;
}

function checkedData(type: string, input: RecordInput, domain: Domain, before?: DnsRecord): string {
  // A PUT with a type but without data fails for names at DigitalOcean: they come back without their dot.
  const names = mustEndWithDot.includes(type);
  const data = input.data ?? (names && input.type ? undefined : before?.data);
  if (data === undefined || data === "") {
    throw unprocessable(names ? "Data needs to end with a dot (.)" : "Data can't be blank.");
  }
  if (type === "A" && !isIPv4(data))
    throw unprocessable("IP address did not match IPv4 format (e.g. 127.0.0.1).");
  if (type === "AAAA" && !isIPv6(data)) throw unprocessable("IP address did not match IPv6 format.");
  if (names && data === "@") return domain.name;
  if (names && input.data !== undefined && input.data !== null && !data.endsWith(".")) {
    throw unprocessable("Data needs to end with a dot (.)");
  }
  return names ? data.replace(/\.$/, "") : data;
}

/** `/v2/domains/<domain>/records`. The same record can be made twice: DigitalOcean does not mind either. */
export function recordRoutes(cloud: Cloud, domainOf: (c: ApiContext) => Domain): Hono<Env> {
  const { store } = cloud;
  const app = new Hono<Env>();
  const base = "/domains/:domain/records";
  const wanted = (c: ApiContext): { domain: Domain; record: DnsRecord } => {
    const domain = domainOf(c);
    const id = idParameter(c, "record");
    const record = domain.records.find((candidate) => candidate.id === id);
    if (record === undefined) throw notFound();
    return { domain, record };
  };
  const update = async (c: ApiContext) => {
    const { domain, record } = wanted(c);
    const input = parseInput(recordSchema, await readBody(c));
    Object.assign(record, recordOf(input, domain, record.id, record));
    await store.save();
    return c.json({ domain_record: record });
  };

  app.get(base, (c) => {
    const domain = domainOf(c);
    // The filter takes full names only: www.example.com, and example.com for the apex.
    const name = c.req.query("name")?.toLowerCase().replace(/\.$/, "");
    const type = c.req.query("type")?.toUpperCase();
    const records = domain.records.filter(
      (record) =>
        (name === undefined || fullName(record, domain.name) === name) &&
        (type === undefined || record.type === type),
    );
    return c.json(page(c, "domain_records", records, (record) => record));
  });
  app.post(base, async (c) => {
    const domain = domainOf(c);
    const input = parseInput(recordSchema, await readBody(c));
    const record = recordOf(input, domain, store.newId());
    domain.records.push(record);
    await store.save();
    return c.json({ domain_record: record }, 201);
  });
  app.get(`${base}/:record`, (c) => c.json({ domain_record: wanted(c).record }));
  app.put(`${base}/:record`, update);
  app.patch(`${base}/:record`, update);
  app.delete(`${base}/:record`, async (c) => {
    const { domain, record } = wanted(c);
    domain.records = domain.records.filter((other) => other !== record);
    await store.save();
    return c.body(null, 204);
  });
  return app;
}
