import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { createActionEngine } from "./api/actions.ts";
import { createApi } from "./api/api.ts";
import { createFaults } from "./api/faults.ts";
import { createRequestCounts } from "./api/requests.ts";
import type { Cloud } from "./context.ts";
import { createEdge } from "./edge/edge.ts";
import { claimAddressBlock } from "./host/addressBlock.ts";
import { type Isolation, isolationOf } from "./host/isolation.ts";
import { createMachines } from "./host/machines.ts";
import { openStore } from "./host/state.ts";
import { type CloudOptionsInput, parseOptions } from "./options.ts";

export type LocalCloud = {
  /** `http://127.0.0.1:<port>`; paths begin with /v2. */
  apiUrl: string;
  edgePort: number;
  isolation: Isolation;
  /** Takes droplets and servers down in good order; what exists comes back with the next start. */
  close(): Promise<void>;
};

/**
 * Starts a local cloud on 127.0.0.1 and brings the droplets back that were on.
 * Rejects with a sentence when an option is wrong or a port is taken.
 */
export async function startLocalCloud(input: CloudOptionsInput): Promise<LocalCloud> {
  const options = parseOptions(input);
  await mkdir(options.folder, { recursive: true });
  const isolation = isolationOf(options.folder);
  const closing = new AbortController();
  const store = await openStore(options.folder);
  const cloud: Cloud = {
    options,
    store,
    machines: createMachines({
      folder: options.folder,
      isolation,
      sshPort: options.sshPort,
      webPort: options.webPort,
      releasesUrl: () => `${cloud.apiUrl}/releases`,
    }),
    actions: createActionEngine(() => cloud),
    faults: createFaults(),
    requests: createRequestCounts(),
    apiUrl: "",
    edgePort: 0,
    isolation: isolation.kind,
    addressBase: "",
    closing: closing.signal,
  };

  const edge = createEdge(cloud);
  const api = createAdaptorServer({ fetch: createApi(cloud).fetch }) as Server;
  const edgeSockets = socketsOf(edge);
  const apiSockets = socketsOf(api);
  // A taken port is found out before anything is touched: it may be a cloud on this very folder.
  cloud.edgePort = await listen(edge, options.edgePort, "LOCAL_EDGE_PORT");
  let releaseAddresses = (): void => {};
  try {
    const port = await listen(api, options.port, "LOCAL_CLOUD_PORT");
    cloud.apiUrl = `http://127.0.0.1:${port}`;
    const block = await claimAddressBlock({ ...options, wanted: wantedAddresses(cloud) });
    releaseAddresses = block.release;
    cloud.addressBase = block.base;
    store.state.addressBase = block.base;
    await isolation.prepare();
    await resume(cloud);
  } catch (error) {
    releaseAddresses();
    await Promise.all([stop(edge, edgeSockets), stop(api, apiSockets)]);
    throw error;
  }

  let closed: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    closing.abort();
    await Promise.all([stop(edge, edgeSockets), stop(api, apiSockets), cloud.actions.settled()]);
    await cloud.machines.close();
    releaseAddresses();
    await store.save();
  };
  return {
    apiUrl: cloud.apiUrl,
    edgePort: cloud.edgePort,
    isolation: isolation.kind,
    close() {
      closed ??= close();
      return closed;
    },
  };
}

/** The addresses that were asked for, or else those that droplets have already. */
function wantedAddresses({ options, store: { state } }: Cloud): string | undefined {
  const [droplet] = state.droplets.filter(({ deletedAt }) => deletedAt === null);
  return options.addressBase ?? droplet?.address.split(".").slice(0, 2).join(".");
}

/** Carries on where a predecessor stopped, in whatever way it stopped. */
async function resume(cloud: Cloud): Promise<void> {
  const { store, machines } = cloud;
  store.state.droplets = store.state.droplets.filter((droplet) => droplet.deletedAt === null);
  await machines.sweep(
    store.state.droplets.map((droplet) => droplet.id),
    store.state.images.map((image) => image.id),
  );
  await store.save();
  cloud.actions.resume();
  for (const droplet of store.state.droplets) {
    if (droplet.status === "active") {
      machines
        .start(droplet, 0)
        .catch((error: unknown) => console.error(`Droplet ${droplet.id} does not come back:`, error));
    }
  }
}

async function listen(server: Server, port: number, variable: string): Promise<number> {
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new Error(
      `The local cloud can't use port ${port} because it's already in use. Stop what uses it, or set ${variable} to another port.`,
      { cause },
    );
  }
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : port;
}

/** Stops listening and cuts what is open, upgraded connections included. */
async function stop(server: Server, sockets: Set<Socket>): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}

/** The open connections of a server, those that became websockets too. */
function socketsOf(server: Server): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
}
