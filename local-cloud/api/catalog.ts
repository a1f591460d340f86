import type { Image } from "#local-cloud/host/state.ts";

export type Region = { slug: string; name: string };
export type Size = {
  slug: string;
  memory: number;
  vcpus: number;
  disk: number;
  transfer: number;
  priceMonthly: number;
  description: string;
};

/** Where droplets can be; on this machine they are all the same place. */
export const regions: readonly Region[] = [
  { slug: "fra1", name: "Frankfurt 1" },
  { slug: "ams3", name: "Amsterdam 3" },
  { slug: "lon1", name: "London 1" },
  { slug: "nyc3", name: "New York 3" },
  { slug: "sfo3", name: "San Francisco 3" },
  { slug: "sgp1", name: "Singapore 1" },
  { slug: "tor1", name: "Toronto 1" },
  { slug: "blr1", name: "Bangalore 1" },
  { slug: "syd1", name: "Sydney 1" },
];

const basic = (
  slug: string,
  memory: number,
  vcpus: number,
  disk: number,
  transfer: number,
  price: number,
) => ({
  slug,
  memory,
  vcpus,
  disk,
  transfer,
  priceMonthly: price,
  description: "Basic",
});

/** DigitalOcean's Basic sizes with their monthly prices in US dollars; memory in MiB, disk in GiB. */
export const sizes: readonly Size[] = [
  basic("s-1vcpu-512mb-10gb", 512, 1, 10, 0.5, 4),
  basic("s-1vcpu-1gb", 1024, 1, 25, 1, 6),
  basic("s-1vcpu-2gb", 2048, 1, 50, 2, 12),
  basic("s-2vcpu-2gb", 2048, 2, 60, 3, 18),
  basic("s-2vcpu-4gb", 4096, 2, 80, 4, 24),
  basic("s-4vcpu-8gb", 8192, 4, 160, 5, 48),
  basic("s-8vcpu-16gb", 16_384, 8, 320, 6, 96),
];

const allRegions = regions.map((region) => region.slug);

const distribution = (id: number, slug: string, name: string, family: string, minDisk: number): Image => ({
  id,
  name,
  distribution: family,
  slug,
  kind: "base",
  regions: allRegions,
  createdAt: Date.parse("2026-09-01T08:00:00Z"),
  minDisk,
  sizeGigabytes: 0.9,
  description: `${family} ${name}`,
  tags: [],
  dropletId: null,
});

/** Public images. On this machine each of them begins as an empty folder. */
export const publicImages: readonly Image[] = [
  distribution(1_130_001, "debian-13-x64", "13 x64", "Debian", 7),
  distribution(1_130_002, "debian-12-x64", "12 x64", "Debian", 7),
  distribution(1_130_003, "ubuntu-24-04-x64", "24.04 (LTS) x64", "Ubuntu", 7),
  distribution(1_130_004, "ubuntu-22-04-x64", "22.04 (LTS) x64", "Ubuntu", 7),
  distribution(1_130_005, "rockylinux-9-x64", "9 x64", "Rocky Linux", 10),
];

export const findSize = (slug: string): Size | undefined => sizes.find((size) => size.slug === slug);

/** By slug, or by prefix ("nyc"), as DigitalOcean takes it. */
export function findRegion(slug: string): Region | undefined {
  return (
    regions.find((region) => region.slug === slug) ??
    (/^[a-z]{3}$/.test(slug) ? regions.find((region) => region.slug.startsWith(slug)) : undefined)
  );
}

export function regionView(slug: string) {
  const region = regions.find((candidate) => candidate.slug === slug);
  return {
    name: region?.name ?? slug,
    slug,
    features: ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"],
    available: true,
    sizes: sizes.map((size) => size.slug),
  };
}

export function sizeView(size: Size) {
  return {
    slug: size.slug,
    memory: size.memory,
    vcpus: size.vcpus,
    disk: size.disk,
    transfer: size.transfer,
    price_monthly: size.priceMonthly,
    price_hourly: Number((size.priceMonthly / 672).toFixed(5)),
    regions: allRegions,
    available: true,
    description: size.description,
    disk_info: diskInfo(size.disk),
  };
}

export function diskInfo(gigabytes: number) {
  return [{ type: "local", size: { amount: gigabytes, unit: "gib" } }];
}
