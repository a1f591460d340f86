import { BlockList, isIP } from "node:net";

/** Which proxies are believed when they say whom a request comes from: so many hops, or those at these addresses. */
export type TrustedProxies = { hops: number } | { addresses: BlockList };

/**
 * Reads TRUST_PROXY: a number of hops, or addresses and networks separated by commas ("10.0.0.0/8, 192.0.2.1").
 * Throws a sentence about the part that is neither.
 */
export function parseTrustedProxies(text: string): TrustedProxies {
  if (/^\d$/.test(text)) return { hops: Number(text) };
  const addresses = new BlockList();
  for (const part of text.split(",").map((one) => one.trim())) {
    const [address = "", prefix] = part.split("/");
    const version = isIP(address);
    const family = version === 6 ? "ipv6" : "ipv4";
    const bits = prefix === undefined ? (version === 6 ? 128 : 32) : Number(prefix);
    if (version === 0 || !Number.isInteger(bits) || bits < 0 || bits > (version === 6 ? 128 : 32))
      throw new Error(`"${part}" is neither a number of hops nor an address or network`);
    addresses.addSubnet(address, bits, family);
  }
  return { addresses };
}

/**
 * Whom a request comes from, as the trusted proxies say; undefined without any, because the header is anybody's to send.
 * `forwarded`: X-Forwarded-For, to which each proxy appends the address that it was called from.
 */
export function clientAddress(
  forwarded: string | null,
  trusted: TrustedProxies | undefined,
): string | undefined {
  if (trusted === undefined || forwarded === null) return undefined;
  const chain = forwarded.split(",").map((one) => one.trim());
  const address =
    "hops" in trusted
      ? chain.at(-trusted.hops)
      : chain.findLast((one) => !trusted.addresses.check(one, isIP(one) === 6 ? "ipv6" : "ipv4"));
  return address !== undefined && isIP(address) !== 0 ? address : undefined;
}
