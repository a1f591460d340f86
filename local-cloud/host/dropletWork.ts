import { findSize } from "#local-cloud/api/catalog.ts";
import { findImage } from "#local-cloud/api/images.ts";
import type { Cloud } from "#local-cloud/context.ts";
import type { Action, Droplet } from "./state.ts";
import { ActionFailed, waitUntil } from "./work.ts";

// When things come true after a create, as parts of the boot time. Active before the address and both
// before SSH answers: that order was observed at DigitalOcean and clients must wait for all three.
const activeAt = 0.7;
const addressAt = 0.85;

/** Does what an action on a droplet promises. May run again after a restart: each step bears repeating. */
export async function dropletWork(cloud: Cloud, action: Action): Promise<void> {
  const droplet = cloud.store.state.droplets.find((candidate) => candidate.id === action.resourceId);
  if (droplet === undefined) throw new ActionFailed("The droplet is gone.");
  if (action.type === "create") return create(cloud, action, droplet);
  if (action.type === "snapshot") return takeSnapshot(cloud, action, droplet);
  await waitUntil(cloud, action.startedAt + cloud.options.actionMs);
  if (action.fault || droplet.deletedAt !== null) throw new ActionFailed("It was to fail.");
  await effects[action.type]?.(cloud, droplet, action);
  await cloud.store.save();
}

async function create(cloud: Cloud, action: Action, droplet: Droplet): Promise<void> {
  const { bootMs } = cloud.options;
  if (action.fault) {
    await waitUntil(cloud, action.startedAt + bootMs * activeAt);
    throw new ActionFailed("It was to fail.");
  }
  const { image } = droplet;
  await cloud.machines.prepare(droplet.id, image.kind === "snapshot" ? image.id : undefined);
  if (droplet.faults.includes("never-active")) await forever(cloud);
  await cloud.machines.start(droplet, action.startedAt + bootMs);
  await waitUntil(cloud, action.startedAt + bootMs * activeAt);
  if (droplet.deletedAt !== null) throw new ActionFailed("The droplet was deleted.");
  droplet.status = "active";
  await cloud.store.save();
  await waitUntil(cloud, action.startedAt + bootMs * addressAt);
  if (droplet.deletedAt !== null) throw new ActionFailed("The droplet was deleted.");
  if (!droplet.faults.includes("no-address")) droplet.addressKnown = true;
}

async function takeSnapshot(cloud: Cloud, action: Action, droplet: Droplet): Promise<void> {
  const { store, machines } = cloud;
  if (action.fault) {
    await waitUntil(cloud, action.startedAt + cloud.options.actionMs);
    throw new ActionFailed("It was to fail.");
  }
  const id = store.newId();
  const bytes = await machines.takeSnapshot(droplet.id, id);
  await waitUntil(cloud, action.startedAt + cloud.options.actionMs);
  store.state.images.push({
    id,
    name: action.parameters.name ?? `${droplet.name}-${action.startedAt}`,
    distribution: droplet.image.distribution,
    slug: null,
    kind: "snapshot",
    regions: [droplet.region],
    // Terraform finds its new snapshot by nothing else than this equality.
    createdAt: action.startedAt,
    minDisk: droplet.disk,
    sizeGigabytes: Math.max(0.01, Math.ceil(bytes / 10_000_000) / 100),
    description: "",
    tags: [],
    dropletId: droplet.id,
  });
}

type Effect = (cloud: Cloud, droplet: Droplet, action: Action) => Promise<void> | void;

const switchOff =
  (inGoodOrder: boolean): Effect =>
  async (cloud, droplet) => {
    await cloud.machines.stop(droplet.id, inGoodOrder);
    droplet.status = "off";
  };

const switchOn: Effect = async (cloud, droplet) => {
  await cloud.machines.start(droplet, 0);
  droplet.status = "active";
};

const restart =
  (inGoodOrder: boolean): Effect =>
  async (cloud, droplet, action) => {
    await cloud.machines.stop(droplet.id, inGoodOrder);
    await switchOn(cloud, droplet, action);
  };

const replaceSystem: Effect = async (cloud, droplet, action) => {
  const image = findImage(cloud, action.parameters.image ?? droplet.image.id);
  if (image === undefined) throw new ActionFailed("The image is gone.");
  await cloud.machines.stop(droplet.id, true);
  await cloud.machines.replaceDisk(droplet.id, image.kind === "snapshot" ? image.id : undefined);
  droplet.image = image;
  await switchOn(cloud, droplet, action);
};

const feature =
  (name: string, on: boolean): Effect =>
  (_cloud, droplet) => {
    droplet.features = droplet.features.filter((known) => known !== name);
    if (on) droplet.features.push(name);
  };

const nothing: Effect = () => undefined;

const effects: Record<string, Effect> = {
  power_on: switchOn,
  power_off: switchOff(false),
  shutdown: switchOff(true),
  reboot: restart(true),
  power_cycle: restart(false),
  rename: (_cloud, droplet, action) => {
    droplet.name = action.parameters.name ?? droplet.name;
  },
  resize: (_cloud, droplet, action) => {
    const size = findSize(action.parameters.size ?? "");
    if (size === undefined) throw new ActionFailed("There is no such size.");
    droplet.size = size.slug;
    if (action.parameters.disk === true) droplet.disk = size.disk;
  },
  rebuild: replaceSystem,
  restore: replaceSystem,
  password_reset: nothing,
  enable_backups: feature("backups", true),
  disable_backups: feature("backups", false),
  change_backup_policy: nothing,
  change_kernel: nothing,
  enable_ipv6: (_cloud, droplet, action) => {
    droplet.ipv6 = true;
    return feature("ipv6", true)(_cloud, droplet, action);
  },
};

async function forever(cloud: Cloud): Promise<never> {
  await new Promise((_resolve, reject) => {
    const stop = () => reject(cloud.closing.reason);
    if (cloud.closing.aborted) stop();
    else cloud.closing.addEventListener("abort", stop, { once: true });
  });
  throw cloud.closing.reason;
}
