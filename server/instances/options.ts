import type { Env } from "#server/env.ts";
import type { DigitalOcean } from "#server/providers/digitalocean/digitalocean.ts";

/** What Joe may choose from; sizes as a customer's intranet needs them, cheapest first. */
export type Options = {
  regions: { slug: string; name: string }[];
  sizes: {
    slug: string;
    name: string;
    memoryMb: number;
    vcpus: number;
    diskGb: number;
    priceMonthlyCents: number;
    regions: string[];
  }[];
  versions: string[];
  domains: string[];
  urlPattern: { scheme: "http" | "https"; port: number | null };
  defaults: { region: string; size: string };
};

const keptMs = 10 * 60_000;
/** The plain droplets; DigitalOcean's dozens of special ones are not for an intranet. */
const offered: ReadonlyMap<string, string> = new Map([
  ["s-1vcpu-1gb", "Tiny"],
  ["s-1vcpu-2gb", "Small"],
  ["s-2vcpu-4gb", "Medium"],
  ["s-4vcpu-8gb", "Large"],
]);
let kept: { at: number; options: Promise<Options> } | undefined;

/** Regions, sizes and prices as DigitalOcean gives them, asked for at most every ten minutes of the monotonic clock. */
export function options(env: Env, digitalocean: DigitalOcean, now: number): Promise<Options> {
  if (kept !== undefined && now - kept.at < keptMs) return kept.options;
  const fresh = load(env, digitalocean);
  const entry = { at: now, options: fresh };
  kept = entry;
  fresh.catch(() => {
    if (kept === entry) kept = undefined;
  });
  return fresh;
}

async function load(env: Env, digitalocean: DigitalOcean): Promise<Options> {
  const [regions, sizes] = await Promise.all([digitalocean.regions(), digitalocean.sizes()]);
  const choices = sizes
    .flatMap((size) => {
      const name = offered.get(size.slug);
      if (name === undefined || !size.available) return [];
      const { slug, memoryMb, vcpus, diskGb } = size;
      return [
        {
          slug,
          name,
          memoryMb,
          vcpus,
          diskGb,
          regions: size.regions,
          priceMonthlyCents: size.priceMonthlyCents,
        },
      ];
    })
    .sort((a, b) => a.priceMonthlyCents - b.priceMonthlyCents);
  const places = regions
    .filter((region) => region.available && choices.some((size) => size.regions.includes(region.slug)))
    .map(({ slug, name }) => ({ slug, name }))
    .sort((a, b) => a.name.localeCompare(b.name));
  return {
    regions: places,
    sizes: choices,
    versions: env.releases,
    domains: env.baseDomains,
    urlPattern: env.isLocal ? { scheme: "http", port: env.edgePort } : { scheme: "https", port: null },
    defaults: {
      region: places.find((region) => region.slug === "fra1")?.slug ?? places[0]?.slug ?? "",
      size: choices.find((size) => size.slug === "s-1vcpu-2gb")?.slug ?? choices[0]?.slug ?? "",
    },
  };
}
