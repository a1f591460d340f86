import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import * as schemas from "./schemas.ts";

/** Our schemas against the examples in DigitalOcean's own OpenAPI document, where that is at hand. */

const file = process.env.DIGITALOCEAN_OPENAPI ?? resolve("../shared/digitalocean/openapi.json");
const present = existsSync(file);
if (!present)
  console.warn(`Skipped: DigitalOcean's OpenAPI document is not at ${file} (set DIGITALOCEAN_OPENAPI).`);

const read: [string, "get" | "post" | "put", string, z.ZodType][] = [
  ["/v2/account", "get", "200", schemas.accountAnswer],
  ["/v2/account/keys", "get", "200", schemas.sshKeyList],
  ["/v2/account/keys", "post", "201", schemas.sshKeyAnswer],
  ["/v2/droplets", "get", "200", schemas.dropletList],
  ["/v2/droplets", "post", "202", schemas.dropletAnswer],
  ["/v2/droplets/{droplet_id}", "get", "200", schemas.dropletAnswer],
  ["/v2/droplets/{droplet_id}/actions", "post", "201", schemas.actionAnswer],
  ["/v2/droplets/{droplet_id}/snapshots", "get", "200", schemas.snapshotList],
  ["/v2/actions/{action_id}", "get", "200", schemas.actionAnswer],
  ["/v2/domains/{domain_name}/records", "get", "200", schemas.recordList],
  ["/v2/domains/{domain_name}/records", "post", "201", schemas.recordAnswer],
  ["/v2/domains/{domain_name}/records/{domain_record_id}", "put", "200", schemas.recordAnswer],
  ["/v2/regions", "get", "200", schemas.regionList],
  ["/v2/sizes", "get", "200", schemas.sizeList],
];

const tree = z.record(z.string(), z.unknown());

describe.skipIf(!present)("DigitalOcean's own examples", () => {
  const document: unknown = present ? JSON.parse(readFileSync(file, "utf8")) : {};

  const child = (node: unknown, key: string): unknown => {
    const found = tree.safeParse(resolved(node));
    return found.success ? found.data[key] : undefined;
  };
  function resolved(node: unknown): unknown {
    const reference = tree.safeParse(node).data?.$ref;
    if (typeof reference !== "string") return node;
    return resolved(reference.split("/").slice(1).reduce(child, document));
  }

  /** An answer's examples: its own, or one put together from the examples of its schema's properties. */
  function examplesOf(path: string, method: string, status: string): unknown[] {
    const media = ["paths", path, method, "responses", status, "content", "application/json"].reduce(
      child,
      document,
    );
    const one = child(media, "example");
    if (one !== undefined) return [one];
    const several = tree.safeParse(child(media, "examples"));
    if (several.success) return Object.values(several.data).map((example) => child(example, "value"));
    return [assembled(child(media, "schema"))];
  }
  function assembled(schema: unknown): unknown {
    const example = child(schema, "example");
    if (example !== undefined) return example;
    const properties = tree.safeParse(child(schema, "properties"));
    if (!properties.success) return undefined;
    return Object.fromEntries(Object.entries(properties.data).map(([key, of]) => [key, assembled(of)]));
  }

  test.each(read)("%s %s %s", (path, method, status, schema) => {
    const examples = examplesOf(path, method, status);
    expect(examples.length).toBeGreaterThan(0);
    // One create asks for one droplet: the answer for several is not for us.
    const ours = examples.filter((example) => method !== "post" || child(example, "droplets") === undefined);
    for (const example of ours) expect(schema.safeParse(example).error?.message).toBeUndefined();
  });
});
