import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { writeFileAtomically } from "./files.ts";

/** What can be made to go wrong with one object, see faults.ts. */
export const objectFaults = ["errored-action", "never-active", "ssh-refused", "no-address"] as const;
export type ObjectFault = (typeof objectFaults)[number];

const keySchema = z.object({
  id: z.number(),
  name: z.string(),
  publicKey: z.string(),
  fingerprint: z.string(),
});

const imageSchema = z.object({
  id: z.number(),
  name: z.string(),
  distribution: z.string(),
  slug: z.string().nullable(),
  kind: z.enum(["base", "snapshot"]),
  regions: z.array(z.string()),
  createdAt: z.number(),
  minDisk: z.number(),
  sizeGigabytes: z.number(),
  description: z.string(),
  tags: z.array(z.string()),
  dropletId: z.number().nullable(),
});

const dropletSchema = z.object({
  id: z.number(),
  name: z.string(),
  region: z.string(),
  size: z.string(),
  disk: z.number(),
  image: imageSchema,
  status: z.enum(["new", "active", "off"]),
  address: z.string(),
  addressKnown: z.boolean(),
  ipv6: z.boolean(),
  createdAt: z.number(),
  deletedAt: z.number().nullable(),
  tags: z.array(z.string()),
  features: z.array(z.string()),
  keys: z.array(z.string()),
  faults: z.array(z.enum(objectFaults)),
});

const actionSchema = z.object({
  id: z.number(),
  type: z.string(),
  status: z.enum(["in-progress", "completed", "errored"]),
  startedAt: z.number(),
  completedAt: z.number().nullable(),
  resourceId: z.number(),
  resourceType: z.enum(["droplet", "image"]),
  region: z.string(),
  parameters: z.object({
    name: z.string().optional(),
    size: z.string().optional(),
    disk: z.boolean().optional(),
    image: z.union([z.number(), z.string()]).optional(),
    region: z.string().optional(),
  }),
  /** Decided when it was asked for: this action will end as errored. */
  fault: z.boolean(),
});

const recordSchema = z.object({
  id: z.number(),
  type: z.string(),
  name: z.string(),
  data: z.string(),
  priority: z.number().nullable(),
  port: z.number().nullable(),
  ttl: z.number(),
  weight: z.number().nullable(),
  flags: z.number().nullable(),
  tag: z.string().nullable(),
});

const domainSchema = z.object({ name: z.string(), createdAt: z.number(), records: z.array(recordSchema) });

const destroyedSchema = z.object({
  dropletId: z.number(),
  name: z.string(),
  at: z.number(),
  snapshots: z.array(z.object({ id: z.string(), name: z.string() })),
});

const stateSchema = z.object({
  nextId: z.number(),
  nextAddress: z.number(),
  /** First two numbers of the addresses given so far. */
  addressBase: z.string().optional(),
  accountUuid: z.string(),
  projectUuid: z.string(),
  vpcUuid: z.string(),
  createdAt: z.number(),
  keys: z.array(keySchema),
  images: z.array(imageSchema),
  droplets: z.array(dropletSchema),
  actions: z.array(actionSchema),
  domains: z.array(domainSchema),
  tags: z.array(z.object({ name: z.string() })),
  destroyed: z.array(destroyedSchema),
});

export type State = z.infer<typeof stateSchema>;
export type Key = z.infer<typeof keySchema>;
export type Image = z.infer<typeof imageSchema>;
export type Droplet = z.infer<typeof dropletSchema>;
export type Action = z.infer<typeof actionSchema>;
export type DnsRecord = z.infer<typeof recordSchema>;
export type Domain = z.infer<typeof domainSchema>;

const keptActions = 5000;

function emptyState(): State {
  return {
    nextId: 3_000_001,
    nextAddress: 0,
    accountUuid: randomUUID(),
    projectUuid: randomUUID(),
    vpcUuid: randomUUID(),
    createdAt: Date.now(),
    keys: [],
    images: [],
    droplets: [],
    actions: [],
    domains: [],
    tags: [],
    destroyed: [],
  };
}

export type Store = {
  state: State;
  /** A number nobody had before. */
  newId(): number;
  /** Resolves when everything changed so far is safe on disk. Callers that overlap share one write. */
  save(): Promise<void>;
};

/** Opens `<folder>/state.json`, or begins an empty cloud. Throws when the file is there but unreadable. */
export async function openStore(folder: string): Promise<Store> {
  const file = path.join(folder, "state.json");
  const state = await readState(file);
  let last: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;

  async function write(): Promise<void> {
    waiting = undefined;
    prune(state);
    await writeFileAtomically(file, JSON.stringify(state));
  }
  return {
    state,
    newId() {
      state.nextId += 1;
      return state.nextId - 1;
    },
    save() {
      // A write under way may have taken its picture already: one more, after it, covers everybody who waits.
      if (waiting === undefined) {
        waiting = last.catch(() => undefined).then(write);
        last = waiting;
      }
      return waiting;
    },
  };
}

async function readState(file: string): Promise<State> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return emptyState();
    throw error;
  }
  try {
    return stateSchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(
      `The local cloud's state in ${file} can't be read. Put a good copy there, or move it away to start with an empty cloud.`,
      { cause },
    );
  }
}

function prune(state: State): void {
  if (state.actions.length <= keptActions) return;
  const spare = state.actions.length - keptActions;
  let dropped = 0;
  state.actions = state.actions.filter((action) => {
    if (dropped >= spare || action.status === "in-progress") return true;
    dropped += 1;
    return false;
  });
}
