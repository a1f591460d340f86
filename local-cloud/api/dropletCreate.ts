import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import type { Droplet, Image, ObjectFault } from "#local-cloud/host/state.ts";
import { findRegion, findSize, regions } from "./catalog.ts";
import { faultsInName } from "./faults.ts";
import { parseInput, unprocessable } from "./http.ts";
import { findImage } from "./images.ts";
import { findKey } from "./keys.ts";
import { ensureTags } from "./tags.ts";

const hostname = /^[a-zA-Z0-9]?[a-z0-9A-Z.-]*[a-z0-9A-Z]$/;
const identifier = z.union([z.number(), z.string()]);
const flag = z.boolean().nullish();

// Unknown fields and explicit nulls come from real clients (ansible sends its whole option set).
const createSchema = z.object({
  name: z.string().nullish(),
  names: z.array(z.string()).nullish(),
  region: z.string().nullish(),
  size: z.string().nullish(),
  image: identifier.nullish(),
  ssh_keys: z.array(identifier).nullish(),
  backups: flag,
  ipv6: flag,
  monitoring: flag,
  tags: z.array(z.string()).nullish(),
  user_data: z.string().nullish(),
  volumes: z.array(z.string()).nullish(),
});

export type Creation = { droplets: Droplet[]; several: boolean };

/** Checks a create call as DigitalOcean does and makes its droplets, not yet saved. Throws 422. */
export function makeDroplets(cloud: Cloud, body: unknown, faults: readonly ObjectFault[]): Creation {
  const input = parseInput(createSchema, body);
  const names = input.names ?? (input.name ? [input.name] : []);
  if (input.names && input.name) throw unprocessable("Specify either name or names, not both.");
  if (names.length === 0) throw unprocessable("Name can't be blank");
  if (names.length > 10) throw unprocessable("You may create at most 10 Droplets with one request.");
  if (!names.every((name) => name.length <= 255 && hostname.test(name))) {
    throw unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)");
  }
  const size = findSize(input.size ?? "");
  if (size === undefined) throw unprocessable("You specified an invalid size for Droplet creation.");
  const image = usableImage(cloud, input.image);
  const region = input.region
    ? findRegion(input.region)
    : regions.find((one) => image.regions.includes(one.slug));
  if (region === undefined) throw unprocessable("You specified an invalid region for Droplet creation.");
  if (!image.regions.includes(region.slug)) {
    throw unprocessable("The image you specified is not available in the selected region.");
  }
  if (image.minDisk > size.disk) {
    throw unprocessable("This size is not available because it has a smaller disk.");
  }
  const asked = input.ssh_keys ?? [];
  const unknown = asked.filter((key) => findKey(cloud, key) === undefined);
  if (unknown.length > 0) {
    throw unprocessable(`${unknown.join(", ")} are invalid key identifiers for Droplet creation.`);
  }
  if (Buffer.byteLength(input.user_data ?? "") > 65_536)
    throw unprocessable("User data may have 64 KiB at most.");
  if ((input.volumes ?? []).length > 0)
    throw unprocessable("You specified invalid volumes for Droplet creation.");
  const existing = cloud.store.state.droplets.filter((droplet) => droplet.deletedAt === null).length;
  if (existing + names.length > cloud.options.dropletLimit) {
    throw unprocessable("creating this/these droplet(s) will exceed your droplet limit");
  }
  const tags = ensureTags(cloud, input.tags ?? []);
  const features = [
    ...(input.backups ? ["backups"] : []),
    ...(input.ipv6 ? ["ipv6"] : []),
    ...(input.monitoring ? ["monitoring"] : []),
    "private_networking",
  ];
  const droplets = names.map((name): Droplet => {
    const droplet: Droplet = {
      id: cloud.store.newId(),
      name,
      region: region.slug,
      size: size.slug,
      disk: size.disk,
      image: structuredClone(image),
      status: "new",
      address: freeAddress(cloud),
      addressKnown: false,
      ipv6: input.ipv6 === true,
      createdAt: Date.now(),
      deletedAt: null,
      tags: [...tags],
      features: [...features],
      keys: asked.flatMap((key) => findKey(cloud, key)?.publicKey ?? []),
      faults: [...new Set([...faults, ...faultsInName(name)])],
    };
    cloud.store.state.droplets.push(droplet);
    return droplet;
  });
  return { droplets, several: Array.isArray(input.names) };
}

function usableImage(cloud: Cloud, wanted: string | number | null | undefined): Image {
  const image = wanted === null || wanted === undefined ? undefined : findImage(cloud, wanted);
  if (image === undefined) throw unprocessable("You specified an invalid image for Droplet creation.");
  return image;
}

/** The next loopback address nobody has; one that became free is used again as late as possible. */
function freeAddress(cloud: Cloud): string {
  const { state } = cloud.store;
  const taken = new Set(state.droplets.map((droplet) => droplet.address));
  for (let tries = 0; tries < 65_000; tries += 1) {
    const number = state.nextAddress;
    state.nextAddress = (number + 1) % 65_000;
    const address = `${cloud.addressBase}.${1 + Math.floor(number / 254)}.${1 + (number % 254)}`;
    if (!taken.has(address)) return address;
  }
  throw unprocessable("creating this/these droplet(s) will exceed your droplet limit");
}
