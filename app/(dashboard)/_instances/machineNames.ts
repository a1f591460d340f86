type Named = { slug: string; name: string };

/** "Small, Frankfurt"; what is not on offer (any more) keeps its slug. */
export function machineName(
  { sizes, regions }: { sizes: readonly Named[]; regions: readonly Named[] },
  size: string,
  region: string,
): string {
  const sizeName = sizes.find((one) => one.slug === size)?.name ?? size;
  const regionName = regions.find((one) => one.slug === region)?.name ?? region;
  const city = cityOf(regionName);
  // The number of the data centre says nothing, unless there are two in one city.
  const isOnly = regions.filter((one) => cityOf(one.name) === city).length <= 1;
  return `${sizeName}, ${isOnly ? city : regionName}`;
}

const cityOf = (name: string) => name.replace(/ \d+$/, "");
