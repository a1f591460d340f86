import { setTimeout as pause } from "node:timers/promises";
import type { z } from "zod";
import { ProviderError } from "#server/providers/errors.ts";
import { createBudget, createLedger, type Ledger } from "./budget.ts";
import { createDns } from "./dns.ts";
import { createInventory, toSnapshot } from "./inventory.ts";
import { readOnce, readSettled } from "./pages.ts";
import { type Caller, createRequester, type Requester, type RequesterOptions } from "./request.ts";
import * as schemas from "./schemas.ts";
import { createSharedRead } from "./sharedRead.ts";

export type Droplet = {
  id: number;
  name: string;
  status: "new" | "active" | "off" | "archive";
  /** The public IPv4 address; DigitalOcean may give it later than the status. */
  address: string | undefined;
  tags: string[];
  createdAt: string;
  sizeSlug: string;
  priceMonthlyCents: number;
  regionSlug: string;
  snapshotIds: number[];
};
export type DropletWish = {
  name: string;
  region: string;
  size: string;
  image: string | number;
  sshKeyId: number;
  tags: string[];
};
export type DropletAction =
  | { type: "power_off" | "power_on" | "shutdown" | "reboot" }
  | { type: "resize"; size: string; disk: false }
  | { type: "snapshot"; name: string };

export type DigitalOcean = ReturnType<typeof createDigitalOcean>;

/** Every droplet of ours carries this tag: one list call finds them all. */
export const ourTag = "spawner";
const defaultMaxAgeMs = 1000;

/** The part of DigitalOcean's API that the product uses. Every method throws ProviderError. */
export function createDigitalOcean(
  options: Pick<RequesterOptions, "token" | "apiUrl"> &
    Partial<Pick<RequesterOptions, "timeoutMs" | "random" | "now" | "wait" | "deadline" | "fetch">> & {
      /** Ms that only grow, for ages: see server/clock.ts. */
      monotonic?: () => number;
      /** Where those who share the token agree on who sends how much; a process that is alone needs none. */
      ledger?: Ledger;
      /** Up to which part of the limits this process may go, 0…1; all of them unless told. */
      budgetShare?: number;
    },
) {
  const monotonic = options.monotonic ?? (() => performance.now());
  const wait =
    options.wait ??
    ((ms: number, signal?: AbortSignal) => pause(ms, undefined, signal === undefined ? {} : { signal }));
  const api = createRequester({
    token: options.token,
    apiUrl: options.apiUrl.replace(/\/$/, ""),
    timeoutMs: options.timeoutMs ?? 20_000,
    random: options.random ?? Math.random,
    now: options.now ?? Date.now,
    wait,
    deadline: options.deadline ?? AbortSignal.timeout,
    fetch: options.fetch ?? fetch,
    budget: createBudget({ monotonic, wait }, options.ledger ?? createLedger(monotonic), options.budgetShare),
  });

  const dropletPage = async (page: number) => {
    const path = `droplets?tag_name=${ourTag}&per_page=200&page=${page}`;
    const { droplets, ...rest } = await api.ask({ method: "GET", path }, schemas.dropletList);
    return { entries: droplets.map(toDroplet), ...rest };
  };
  const snapshotPage = async (page: number) => {
    const path = `snapshots?resource_type=droplet&per_page=200&page=${page}`;
    const { snapshots, ...rest } = await api.ask({ method: "GET", path }, schemas.snapshotList);
    return { entries: snapshots.map(toSnapshot), ...rest };
  };

  const sharedAccount = createSharedRead(async () => {
    const { account } = await api.ask({ method: "GET", path: "account" }, schemas.accountAnswer);
    const { email, status, droplet_limit: dropletLimit, team, uuid } = account;
    return { id: team?.uuid ?? uuid, email, status, dropletLimit };
  }, monotonic);
  const sharedDroplets = createSharedRead(async () => (await readOnce(dropletPage)).entries, monotonic);
  const settledDroplets = createSharedRead(() => readSettled(dropletPage), monotonic);

  const keys = new Map<string, Promise<{ id: number; fingerprint: string }>>();

  async function registerKey(name: string, publicKey: string) {
    const body = publicKey.split(" ").slice(0, 2).join(" ");
    const matches = (key: { public_key: string }) => key.public_key.startsWith(body);
    const lookUp = async () => {
      for (let page = 1; ; page += 1) {
        const path = `account/keys?per_page=200&page=${page}`;
        const answer = await api.ask({ method: "GET", path }, schemas.sshKeyList);
        const key = answer.ssh_keys.find(matches);
        if (key !== undefined || answer.links?.pages?.next === undefined) return key;
      }
    };
    const existing = await lookUp();
    if (existing !== undefined) return existing;
    try {
      const call = {
        method: "POST",
        path: "account/keys",
        body: { name, public_key: publicKey },
      } as const;
      return (await api.ask(call, schemas.sshKeyAnswer)).ssh_key;
    } catch (error) {
      // Somebody was quicker, or the answer was lost: then it is there now.
      const made = await lookUp();
      if (made !== undefined) return made;
      throw error;
    }
  }

  const domains = new Set<string>();

  // Answers that several callers share (the list, the key, the account) are requested without a caller's signal: one that
  // gives up must not cancel them for the others.
  const methods = (api: Requester) => ({
    ...createDns(api, domains),
    ...createInventory(api),
    requestCount: api.count,

    /**
     * Who the token belongs to. `id` is the team's: what is bought with the token belongs to that team. The answer may be
     * up to `maxAgeMs` old; by default it's fresh.
     */
    account: (maxAgeMs = 0) => sharedAccount(maxAgeMs),

    /** The public half of our key at DigitalOcean; asked once in a process' life, its list has a narrow limit. */
    async ensureSshKey(
      name: string,
      publicKey: string,
      signal?: AbortSignal,
    ): Promise<{ id: number; fingerprint: string }> {
      signal?.throwIfAborted();
      let known = keys.get(publicKey);
      if (known === undefined) {
        // Without the signal: others wait for the same answer, and whoever gives up must not take it from them.
        const fresh = registerKey(name, publicKey);
        known = fresh;
        keys.set(publicKey, fresh);
        fresh.catch(() => {
          if (keys.get(publicKey) === fresh) keys.delete(publicKey);
        });
      }
      return known;
    },

    /** Has the next `ensureSshKey` look again: for a key that somebody has deleted at DigitalOcean. */
    forgetSshKeys: () => keys.clear(),

    /** Every droplet that bears our tag, for whoever waits for one: read a moment ago, and perhaps while it shifted. */
    listDroplets: () => sharedDroplets(defaultMaxAgeMs),

    /** The same, read now and completely: for whoever decides by it. */
    listAllDroplets: () => settledDroplets(0),

    /** Of all of ours those with this tag, read now and completely. */
    async dropletsByTag(tag: string): Promise<Droplet[]> {
      return (await settledDroplets(0)).filter((droplet) => droplet.tags.includes(tag));
    },

    /** Exactly one POST. An error with `unclear` may have bought a droplet all the same: look for its tag. */
    async createDroplet(wish: DropletWish): Promise<Droplet> {
      const { sshKeyId, ...body } = wish;
      try {
        const call = { method: "POST", path: "droplets", body: { ...body, ssh_keys: [sshKeyId] } } as const;
        return toDroplet((await api.ask(call, schemas.dropletAnswer)).droplet);
      } catch (error) {
        if (error instanceof ProviderError && error.code === "unknown-ssh-key") keys.clear();
        throw error;
      }
    },

    async getDroplet(id: number): Promise<Droplet | undefined> {
      const answer = await api.find({ method: "GET", path: `droplets/${id}` }, schemas.dropletAnswer);
      return answer === undefined ? undefined : toDroplet(answer.droplet);
    },

    /** Asks for its end, which takes its time; false when it was not found. */
    destroyDroplet: (id: number): Promise<boolean> => api.tell({ method: "DELETE", path: `droplets/${id}` }),

    async dropletAction(id: number, action: DropletAction) {
      const call = { method: "POST", path: `droplets/${id}/actions`, body: action } as const;
      return (await api.ask(call, schemas.actionAnswer)).action;
    },

    async getAction(id: number) {
      return (await api.ask({ method: "GET", path: `actions/${id}` }, schemas.actionAnswer)).action;
    },

    /** The snapshots taken of a droplet, read now and completely; none when it is gone. */
    snapshotsOfDroplet: (id: number) =>
      readSettled(async (page) => {
        const path = `droplets/${id}/snapshots?per_page=200&page=${page}`;
        const { snapshots = [], ...rest } =
          (await api.find({ method: "GET", path }, schemas.snapshotList)) ?? {};
        return { entries: snapshots.map(toSnapshot), ...rest };
      }),

    /** Every snapshot of a droplet, of those that are gone as well: read now and completely. */
    listSnapshots: () => readSettled(snapshotPage),

    async deleteSnapshot(id: number): Promise<boolean> {
      return api.tell({ method: "DELETE", path: `snapshots/${id}` });
    },

    async regions() {
      return (await api.ask({ method: "GET", path: "regions?per_page=200" }, schemas.regionList)).regions;
    },

    async sizes() {
      const { sizes } = await api.ask({ method: "GET", path: "sizes?per_page=200" }, schemas.sizeList);
      return sizes.map((size) => ({
        slug: size.slug,
        memoryMb: size.memory,
        vcpus: size.vcpus,
        diskGb: size.disk,
        priceMonthlyCents: Math.round(size.price_monthly * 100),
        regions: size.regions,
        available: size.available,
      }));
    },
  });

  return {
    ...methods(api),
    /** The same account, for one caller: see Caller. */
    for: (caller: Caller) => methods(api.for(caller)),
  };
}

function toDroplet(answer: z.infer<typeof schemas.droplet>): Droplet {
  return {
    id: answer.id,
    name: answer.name,
    status: answer.status,
    address: answer.networks.v4.find((network) => network.type === "public")?.ip_address,
    tags: answer.tags,
    createdAt: answer.created_at,
    sizeSlug: answer.size_slug,
    priceMonthlyCents: Math.round(answer.size.price_monthly * 100),
    regionSlug: answer.region.slug,
    snapshotIds: answer.snapshot_ids,
  };
}
