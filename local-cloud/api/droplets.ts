import { Hono } from "hono";
import type { Cloud } from "#local-cloud/context.ts";
import type { Droplet } from "#local-cloud/host/state.ts";
import { actionView } from "./actionView.ts";
import { associatedRoutes } from "./associated.ts";
import { dropletActionRoutes } from "./dropletActions.ts";
import { makeDroplets } from "./dropletCreate.ts";
import { destroyDroplet, listedDroplets, wantedDroplet } from "./dropletLife.ts";
import { dropletView } from "./dropletView.ts";
import { type Env, notFound, page, readBody, unprocessable } from "./http.ts";
import { dropletSnapshotView } from "./snapshots.ts";
import { knownTag } from "./tags.ts";

/** `/v2/droplets` with everything below it. */
export function dropletRoutes(cloud: Cloud): Hono<Env> {
  const { store } = cloud;
  const app = new Hono<Env>();
  const view = (droplet: Droplet) => dropletView(cloud, droplet);

  app.get("/droplets", (c) => {
    const { tag_name: tag, name, type } = c.req.query();
    if (tag !== undefined && (name !== undefined || type !== undefined)) {
      throw unprocessable("tag_name cannot be combined with name or type.");
    }
    let droplets = type === "gpus" ? [] : listedDroplets(cloud);
    if (tag !== undefined) {
      const known = knownTag(cloud, tag);
      droplets = droplets.filter((droplet) => known !== undefined && droplet.tags.includes(known));
    }
    if (name !== undefined) {
      droplets = droplets.filter((droplet) => droplet.name.toLowerCase() === name.toLowerCase());
    }
    return c.json(page(c, "droplets", droplets, view));
  });

  app.post("/droplets", async (c) => {
    const { droplets, several } = makeDroplets(cloud, await readBody(c), c.get("objectFaults"));
    const actions = await Promise.all(
      droplets.map((droplet) =>
        cloud.actions.begin({
          type: "create",
          resourceId: droplet.id,
          resourceType: "droplet",
          region: droplet.region,
          parameters: {},
          fault: droplet.faults.includes("errored-action"),
        }),
      ),
    );
    const links = {
      actions: actions.map(({ id }) => ({ id, rel: "create", href: `${cloud.apiUrl}/v2/actions/${id}` })),
    };
    const [first] = droplets;
    if (several || first === undefined) return c.json({ droplets: droplets.map(view), links }, 202);
    return c.json({ droplet: view(first), links }, 202);
  });

  app.delete("/droplets", async (c) => {
    const tag = c.req.query("tag_name");
    if (!tag) throw unprocessable("tag_name is required.");
    const known = knownTag(cloud, tag);
    if (known === undefined) throw notFound();
    for (const droplet of store.state.droplets.filter((one) => one.deletedAt === null)) {
      if (droplet.tags.includes(known)) await destroyDroplet(cloud, droplet);
    }
    return c.body(null, 204);
  });

  app.route("/", dropletActionRoutes(cloud));

  app.get("/droplets/:id", (c) => c.json({ droplet: view(wantedDroplet(cloud, c)) }));
  app.delete("/droplets/:id", async (c) => {
    await destroyDroplet(cloud, wantedDroplet(cloud, c));
    return c.body(null, 204);
  });
  app.get("/droplets/:id/snapshots", (c) => {
    const { id } = wantedDroplet(cloud, c);
    const images = store.state.images.filter((image) => image.dropletId === id);
    return c.json(page(c, "snapshots", images, dropletSnapshotView));
  });
  app.get("/droplets/:id/backups", (c) => {
    wantedDroplet(cloud, c);
    return c.json(page(c, "backups", [], dropletSnapshotView));
  });
  app.get("/droplets/:id/actions", (c) => {
    const { id } = wantedDroplet(cloud, c);
    const actions = store.state.actions.filter(
      (action) => action.resourceType === "droplet" && action.resourceId === id,
    );
    return c.json(page(c, "actions", actions.toReversed(), actionView));
  });
  app.route("/", associatedRoutes(cloud));
  return app;
}
