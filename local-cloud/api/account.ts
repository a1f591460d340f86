import { Hono } from "hono";
import type { Cloud } from "#local-cloud/context.ts";
import { regions, regionView, sizes, sizeView } from "./catalog.ts";
import { type Env, page } from "./http.ts";

/** `/v2/account`, `/v2/regions`, `/v2/sizes`: what the account is and what it can buy. */
export function accountRoutes(cloud: Cloud): Hono<Env> {
  const app = new Hono<Env>();
  app.get("/account", (c) =>
    c.json({
      account: {
        droplet_limit: cloud.options.dropletLimit,
        floating_ip_limit: 3,
        email: "cloud@intranet.localhost",
        name: "Local cloud",
        uuid: cloud.store.state.accountUuid,
        email_verified: true,
        status: "active",
        status_message: "",
        team: { uuid: cloud.store.state.accountUuid, name: "Local cloud" },
      },
    }),
  );
  app.get("/regions", (c) => c.json(page(c, "regions", regions, (region) => regionView(region.slug))));
  app.get("/sizes", (c) => c.json(page(c, "sizes", sizes, sizeView)));
  return app;
}
