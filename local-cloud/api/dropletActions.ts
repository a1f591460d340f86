import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import type { Droplet, ObjectFault } from "#local-cloud/host/state.ts";
import type { ActionRequest } from "./actions.ts";
import { actionView } from "./actionView.ts";
import { findSize } from "./catalog.ts";
import { type Env, idParameter, notFound, parseInput, readBody, unprocessable } from "./http.ts";
import { findImage } from "./images.ts";
import { knownTag } from "./tags.ts";

const bulkTypes = [
  "power_cycle",
  "power_on",
  "power_off",
  "shutdown",
  "enable_ipv6",
  "enable_backups",
  "disable_backups",
  "snapshot",
];
const types = [
  ...bulkTypes,
  "reboot",
  "rename",
  "resize",
  "rebuild",
  "restore",
  "password_reset",
  "change_backup_policy",
  "change_kernel",
];

const actionSchema = z.object({
  type: z.string({ error: "Type can't be blank" }),
  name: z.string().nullish(),
  size: z.string().nullish(),
  disk: z.boolean().nullish(),
  image: z.union([z.number(), z.string()]).nullish(),
});
type ActionInput = z.output<typeof actionSchema>;

/** The action a request asks for, checked as far as DigitalOcean checks before it answers. Throws 422. */
function requested(cloud: Cloud, droplet: Droplet, input: ActionInput, faults: ObjectFault[]): ActionRequest {
  if (!types.includes(input.type)) throw unprocessable(`"${input.type}" is not an action for Droplets.`);
  if (cloud.actions.pending("droplet", droplet.id))
    throw unprocessable("Droplet already has a pending event.");
  if (input.type === "rename" && !/^[a-zA-Z0-9]?[a-z0-9A-Z.-]*[a-z0-9A-Z]$/.test(input.name ?? "")) {
    throw unprocessable("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)");
  }
  if (input.type === "resize") {
    const size = findSize(input.size ?? "");
    if (size === undefined) throw unprocessable("You specified an invalid size.");
    if (size.disk < droplet.disk) {
      throw unprocessable("This size is not available because it has a smaller disk.");
    }
    if (droplet.status !== "off") {
      throw unprocessable("Droplet is currently on. Please power it off to run this event.");
    }
  }
  if (input.type === "rebuild" || input.type === "restore") {
    const image = findImage(cloud, input.image ?? "");
    if (image === undefined) throw unprocessable("You specified an invalid image.");
    if (image.minDisk > droplet.disk) {
      throw unprocessable("This size is not available because it has a smaller disk.");
    }
    if (input.type === "restore" && image.kind !== "snapshot") {
      throw unprocessable("You can only restore a Droplet from a backup or a snapshot.");
    }
  }
  return {
    type: input.type,
    resourceId: droplet.id,
    resourceType: "droplet",
    region: droplet.region,
    parameters: {
      ...(input.name ? { name: input.name } : {}),
      ...(input.size ? { size: input.size } : {}),
      ...(input.disk === true ? { disk: true } : {}),
      ...(input.image === null || input.image === undefined ? {} : { image: input.image }),
    },
    fault: faults.includes("errored-action"),
  };
}

/** `/v2/droplets/<id>/actions` and, by tag, `/v2/droplets/actions`. The list is in droplets.ts. */
export function dropletActionRoutes(cloud: Cloud): Hono<Env> {
  const app = new Hono<Env>();
  const alive = (): Droplet[] => cloud.store.state.droplets.filter((droplet) => droplet.deletedAt === null);

  app.post("/droplets/actions", async (c) => {
    const tag = knownTag(cloud, c.req.query("tag_name") ?? "");
    if (tag === undefined) throw notFound();
    const input = parseInput(actionSchema, await readBody(c));
    if (!bulkTypes.includes(input.type)) {
      throw unprocessable(`"${input.type}" is not an action for Droplets with a tag.`);
    }
    const requests = alive()
      .filter((droplet) => droplet.tags.includes(tag))
      .map((droplet) => requested(cloud, droplet, input, c.get("objectFaults")));
    const actions = await Promise.all(requests.map((request) => cloud.actions.begin(request)));
    return c.json({ actions: actions.map(actionView) }, 201);
  });

  app.post("/droplets/:id/actions", async (c) => {
    const id = idParameter(c, "id");
    const body = await readBody(c);
    const droplet = alive().find((one) => one.id === id);
    if (droplet === undefined) throw notFound();
    const input = parseInput(actionSchema, body);
    const action = await cloud.actions.begin(requested(cloud, droplet, input, c.get("objectFaults")));
    return c.json({ action: actionView(action) }, 201);
  });

  app.get("/droplets/:id/actions/:action", (c) => {
    const id = idParameter(c, "id");
    const wanted = idParameter(c, "action");
    const action = cloud.store.state.actions.find(
      (one) => one.id === wanted && one.resourceType === "droplet" && one.resourceId === id,
    );
    if (action === undefined) throw notFound();
    return c.json({ action: actionView(action) });
  });
  return app;
}
