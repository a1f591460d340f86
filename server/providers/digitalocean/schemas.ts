import { z } from "zod";

/** The parts of DigitalOcean's answers that the product reads. Keys it does not know are passed over. */

const links = z.object({ pages: z.object({ next: z.string().optional() }).optional() }).optional();
const meta = z.object({ total: z.number() }).optional();

export const droplet = z.object({
  id: z.number(),
  name: z.string(),
  status: z.enum(["new", "active", "off", "archive"]),
  created_at: z.string(),
  size_slug: z.string(),
  size: z.object({ price_monthly: z.number() }),
  snapshot_ids: z.array(z.number()),
  tags: z.array(z.string()),
  region: z.object({ slug: z.string() }),
  networks: z.object({ v4: z.array(z.object({ ip_address: z.string(), type: z.string() })).default([]) }),
});
export const dropletAnswer = z.object({ droplet });
export const dropletList = z.object({ droplets: z.array(droplet), links, meta });

const action = z.object({
  id: z.number(),
  status: z.enum(["in-progress", "completed", "errored"]),
  type: z.string(),
});
export const actionAnswer = z.object({ action });

const snapshot = z.object({
  id: z.coerce.number(),
  name: z.string(),
  created_at: z.string(),
  size_gigabytes: z.number(),
});
export const snapshotAnswer = z.object({ snapshot });
export const snapshotList = z.object({ snapshots: z.array(snapshot), links, meta });

const sshKey = z.object({
  id: z.number(),
  fingerprint: z.string(),
  public_key: z.string(),
  name: z.string(),
});
export const sshKeyAnswer = z.object({ ssh_key: sshKey });
export const sshKeyList = z.object({ ssh_keys: z.array(sshKey), links });

const record = z.object({
  id: z.number(),
  type: z.string(),
  name: z.string(),
  data: z.string(),
  ttl: z.number(),
});
export const recordAnswer = z.object({ domain_record: record });
export const recordList = z.object({ domain_records: z.array(record), links });

export const regionList = z.object({
  regions: z.array(z.object({ slug: z.string(), name: z.string(), available: z.boolean() })),
  links,
});
export const sizeList = z.object({
  sizes: z.array(
    z.object({
      slug: z.string(),
      memory: z.number(),
      vcpus: z.number(),
      disk: z.number(),
      price_monthly: z.number(),
      regions: z.array(z.string()),
      available: z.boolean(),
    }),
  ),
  links,
});
export const accountAnswer = z.object({
  account: z.object({
    uuid: z.string(),
    email: z.string(),
    status: z.string(),
    droplet_limit: z.number(),
    team: z.object({ uuid: z.string() }).optional(),
  }),
});
export const errorAnswer = z.object({ id: z.string(), message: z.string() });
