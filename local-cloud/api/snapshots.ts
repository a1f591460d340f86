import { Hono } from "hono";
import type { Cloud } from "#local-cloud/context.ts";
import type { Image } from "#local-cloud/host/state.ts";
import { type ApiContext, ApiError, type Env, iso, notFound, page } from "./http.ts";
import { deleteImage, findImage } from "./images.ts";

/** As `/v2/snapshots` shows it: the image's number as a text. */
function snapshotView(image: Image) {
  return {
    id: String(image.id),
    name: image.name,
    created_at: iso(image.createdAt),
    regions: image.regions,
    resource_id: String(image.dropletId ?? ""),
    resource_type: "droplet",
    min_disk_size: image.minDisk,
    size_gigabytes: image.sizeGigabytes,
    tags: image.tags,
  };
}

/** As `/v2/droplets/<id>/snapshots` shows it: the number as a number. */
export function dropletSnapshotView(image: Image) {
  return {
    id: image.id,
    name: image.name,
    created_at: iso(image.createdAt),
    regions: image.regions,
    min_disk_size: image.minDisk,
    size_gigabytes: image.sizeGigabytes,
    type: "snapshot",
  };
}

/** `/v2/snapshots`: of droplets only, there are no volumes here. */
export function snapshotRoutes(cloud: Cloud): Hono<Env> {
  const app = new Hono<Env>();
  const wanted = (c: ApiContext): Image => {
    const image = findImage(cloud, c.req.param("id") ?? "");
    if (image === undefined) throw notFound();
    if (image.kind !== "snapshot") throw new ApiError(400, "the resource is not a snapshot");
    return image;
  };
  app.get("/snapshots", (c) => {
    const images = c.req.query("resource_type") === "volume" ? [] : cloud.store.state.images;
    return c.json(page(c, "snapshots", images, snapshotView));
  });
  app.get("/snapshots/:id", (c) => c.json({ snapshot: snapshotView(wanted(c)) }));
  app.delete("/snapshots/:id", async (c) => {
    await deleteImage(cloud, wanted(c));
    return c.body(null, 204);
  });
  return app;
}
