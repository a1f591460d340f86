import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import type { Droplet, Image } from "#local-cloud/host/state.ts";
import { destroyDroplet, wantedDroplet } from "./dropletLife.ts";
import { type Env, idParameter, iso, notFound, parseInput, readBody, unprocessable } from "./http.ts";
import { deleteImage } from "./images.ts";

const selectiveSchema = z.object({ snapshots: z.array(z.coerce.string()).nullish() });
const nothingElse = { reserved_ips: [], floating_ips: [], volumes: [], volume_snapshots: [] };

/** `/v2/droplets/<id>/destroy_with_associated_resources`: a droplet together with its snapshots. */
export function associatedRoutes(cloud: Cloud): Hono<Env> {
  const { store } = cloud;
  const app = new Hono<Env>();
  const base = "/droplets/:id/destroy_with_associated_resources";
  const snapshotsOf = (droplet: Droplet): Image[] =>
    store.state.images.filter((image) => image.dropletId === droplet.id);

  async function destroy(droplet: Droplet, snapshots: readonly Image[]): Promise<void> {
    await destroyDroplet(cloud, droplet);
    for (const image of snapshots) await deleteImage(cloud, image);
    store.state.destroyed.push({
      dropletId: droplet.id,
      name: droplet.name,
      at: Date.now(),
      snapshots: snapshots.map((image) => ({ id: String(image.id), name: image.name })),
    });
    await store.save();
  }

  app.get(base, (c) => {
    const snapshots = snapshotsOf(wantedDroplet(cloud, c)).map((image) => ({
      id: String(image.id),
      name: image.name,
      cost: (image.sizeGigabytes * 0.06).toFixed(2),
    }));
    return c.json({ ...nothingElse, snapshots });
  });
  app.delete(`${base}/selective`, async (c) => {
    const droplet = wantedDroplet(cloud, c);
    const wanted = parseInput(selectiveSchema, await readBody(c)).snapshots ?? [];
    await destroy(
      droplet,
      snapshotsOf(droplet).filter((image) => wanted.includes(String(image.id))),
    );
    return c.body(null, 202);
  });
  app.delete(`${base}/dangerous`, async (c) => {
    const droplet = wantedDroplet(cloud, c);
    if (c.req.header("x-dangerous")?.toLowerCase() !== "true") {
      throw unprocessable("The header X-Dangerous: true is required.");
    }
    await destroy(droplet, snapshotsOf(droplet));
    return c.body(null, 202);
  });
  app.get(`${base}/status`, (c) => {
    const id = idParameter(c, "id");
    const done = store.state.destroyed.findLast((one) => one.dropletId === id);
    if (done === undefined) throw notFound();
    const destroyedAt = iso(done.at);
    return c.json({
      droplet: { id: String(id), name: done.name, destroyed_at: destroyedAt },
      resources: {
        ...nothingElse,
        snapshots: done.snapshots.map((one) => ({ ...one, destroyed_at: destroyedAt })),
      },
      completed_at: destroyedAt,
      failures: 0,
    });
  });
  app.post(`${base}/retry`, (c) => {
    const id = idParameter(c, "id");
    if (!store.state.destroyed.some((one) => one.dropletId === id)) throw notFound();
    // Destroying is done in one go here and never fails in part: there is nothing left to retry.
    return c.body(null, 202);
  });
  return app;
}
