import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { createActionEngine } from "#local-cloud/api/actions.ts";
import { createApi } from "#local-cloud/api/api.ts";
import { createFaults } from "#local-cloud/api/faults.ts";
import { createRequestCounts } from "#local-cloud/api/requests.ts";
import type { Cloud } from "#local-cloud/context.ts";
import { openStore } from "#local-cloud/host/state.ts";
import { parseOptions } from "#local-cloud/options.ts";
import { testToken } from "#local-cloud/testing/testToken.ts";
import { only } from "#server/operations/testing/testEngine.ts";
import { paceShape } from "./fasterClock.ts";

/**
 * Process entry: the local cloud's API with DigitalOcean's limits, and droplets that are only rows in memory: a thousand of
 * them as processes would need more memory than the machine has. Its time runs at the given pace.
 */
const [folder = "", port = "", givenPace = "{}"] = process.argv.slice(2);
const pace = paceShape.parse(JSON.parse(givenPace));
const options = parseOptions({
  port,
  token: testToken,
  dataDir: folder,
  dropletLimit: 2000,
  // As long as DigitalOcean takes to boot a droplet, and as its lists lag behind.
  bootMs: Math.round(40_000 / pace.factor),
  listLagMs: Math.round(500 / pace.factor),
  addressBase: "127.200",
});
const store = await openStore(folder);
const cloud: Cloud = {
  options,
  store: { ...store, save: async () => {} },
  machines: only<Cloud["machines"]>("machines", { prepare: async () => {}, start: async () => {} }),
  actions: createActionEngine(() => cloud),
  faults: createFaults(),
  requests: createRequestCounts(),
  apiUrl: `http://127.0.0.1:${port}`,
  edgePort: 0,
  isolation: "none",
  addressBase: options.addressBase ?? "",
  closing: new AbortController().signal,
};
const now = () => pace.now + (Date.now() - pace.now) * pace.factor;
const server = createAdaptorServer({ fetch: createApi(cloud, now).fetch }) as Server;
server.listen(options.port, "127.0.0.1", () => process.send?.("ready"));
