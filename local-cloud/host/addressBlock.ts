import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** The second numbers that a block may have. The rest is left to those who name one themselves. */
const lowest = 16;
const count = 48;

export type AddressBlock = {
  /** The first two numbers of its addresses, such as `127.23`. */
  base: string;
  release: () => void;
};

/**
 * Claims a block of loopback addresses for one local cloud's droplets, so that two clouds on one machine never give the
 * same address. The claim is a listening socket on the block's first address: it ends with the process, however that
 * ends. `wanted` is the block that is given or that has droplets already, and then the only one that will do; otherwise
 * the search starts at a number of the folder's own.
 *
 * Rejects with a sentence when no block is free.
 */
export async function claimAddressBlock(options: {
  wanted: string | undefined;
  folder: string;
  sshPort: number;
}): Promise<AddressBlock> {
  const { wanted, folder, sshPort } = options;
  const first = createHash("sha256").update(folder).digest().readUInt16BE(0);
  const bases =
    wanted === undefined
      ? Array.from({ length: count }, (_, index) => `127.${lowest + ((first + index) % count)}`)
      : [wanted];
  for (const base of bases) {
    const claim = await listening(`${base}.0.1`, sshPort);
    if (claim !== undefined) return { base, release: () => void claim.close() };
  }
  throw new Error(
    wanted === undefined
      ? `The local cloud found no free loopback addresses for its droplets: something is listening on port ${sshPort} of all of them. Stop it, or set LOCAL_SSH_PORT to another port.`
      : `The local cloud's droplets have addresses that begin with ${wanted}, and another one is using these. Stop the other Spawner on this machine first.`,
  );
}

async function listening(address: string, port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy()).unref();
  server.listen(port, address);
  try {
    await once(server, "listening");
    return server;
  } catch {
    return undefined;
  }
}
