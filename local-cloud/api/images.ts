import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import type { Image } from "#local-cloud/host/state.ts";
import { actionView } from "./actionView.ts";
import { findRegion, publicImages } from "./catalog.ts";
import {
  type ApiContext,
  ApiError,
  type Env,
  idParameter,
  iso,
  notFound,
  page,
  parseInput,
  readBody,
  unprocessable,
} from "./http.ts";

const distributions = [
  "Arch Linux",
  "CentOS",
  "CoreOS",
  "Debian",
  "Fedora",
  "Fedora Atomic",
  "FreeBSD",
  "Gentoo",
  "openSUSE",
  "RancherOS",
  "Rocky Linux",
  "Ubuntu",
] as const;

const updateSchema = z.object({
  name: z.string().min(1).nullish(),
  distribution: z.string().nullish(),
  description: z.string().nullish(),
});
const actionSchema = z.object({ type: z.string(), region: z.string().nullish() });

/** By number (also as text), or a public image by slug. A private one has no slug and its name won't do. */
export function findImage(cloud: Cloud, identifier: string | number): Image | undefined {
  const text = String(identifier);
  return [...publicImages, ...cloud.store.state.images].find(
    (image) => String(image.id) === text || (image.slug !== null && image.slug === text),
  );
}

export function imageView(image: Image) {
  return {
    id: image.id,
    name: image.name,
    distribution: image.distribution,
    slug: image.slug,
    public: image.kind === "base",
    regions: image.regions,
    created_at: iso(image.createdAt),
    type: image.kind === "base" ? "base" : "snapshot",
    min_disk_size: image.minDisk,
    size_gigabytes: image.sizeGigabytes,
    description: image.description,
    tags: image.tags,
    status: "available",
    error_message: "",
  };
}

/** Forgets a snapshot and its copy of the disk. */
export async function deleteImage(cloud: Cloud, image: Image): Promise<void> {
  cloud.store.state.images = cloud.store.state.images.filter((other) => other !== image);
  await cloud.store.save();
  await cloud.machines.removeSnapshot(image.id);
}

/** `/v2/images` and their actions. */
export function imageRoutes(cloud: Cloud): Hono<Env> {
  const { store } = cloud;
  const app = new Hono<Env>();
  const wanted = (c: ApiContext): Image => {
    const image = findImage(cloud, c.req.param("id") ?? "");
    if (image === undefined) throw notFound();
    return image;
  };
  const own = (c: ApiContext): Image => {
    const image = wanted(c);
    if (image.kind === "base") throw new ApiError(403, "You do not have access for the attempted action.");
    return image;
  };
  const actionsOf = (image: Image) =>
    store.state.actions
      .filter((action) => action.resourceType === "image" && action.resourceId === image.id)
      .toReversed();

  app.get("/images", (c) => {
    const { type, private: isPrivate, tag_name: tag } = c.req.query();
    let images = [...publicImages, ...store.state.images];
    if (isPrivate === "true") images = images.filter((image) => image.kind === "snapshot");
    if (type === "distribution") images = images.filter((image) => image.kind === "base");
    // One-click applications are not sold here.
    if (type === "application") images = [];
    if (tag !== undefined) images = images.filter((image) => image.tags.includes(tag));
    return c.json(page(c, "images", images, imageView));
  });
  app.get("/images/:id", (c) => c.json({ image: imageView(wanted(c)) }));
  app.put("/images/:id", async (c) => {
    const image = own(c);
    const input = parseInput(updateSchema, await readBody(c));
    image.name = input.name ?? image.name;
    image.description = input.description ?? image.description;
    if (input.distribution) {
      image.distribution = distributions.find((known) => known === input.distribution) ?? "Unknown";
    }
    await store.save();
    return c.json({ image: imageView(image) });
  });
  app.delete("/images/:id", async (c) => {
    idParameter(c, "id");
    await deleteImage(cloud, own(c));
    return c.body(null, 204);
  });
  app.get("/images/:id/actions", (c) => c.json(page(c, "actions", actionsOf(wanted(c)), actionView)));
  app.post("/images/:id/actions", async (c) => {
    const image = own(c);
    const input = parseInput(actionSchema, await readBody(c));
    const region = input.region ? findRegion(input.region)?.slug : undefined;
    if (input.type !== "transfer" && input.type !== "convert") {
      throw unprocessable(`"${input.type}" is not an action for images.`);
    }
    if (input.type === "transfer" && region === undefined) {
      throw unprocessable("You specified an invalid region for Image transfer.");
    }
    if (cloud.actions.pending("image", image.id)) throw unprocessable("Image already has a pending event.");
    const action = await cloud.actions.begin({
      type: input.type,
      resourceId: image.id,
      resourceType: "image",
      region: region ?? image.regions[0] ?? "fra1",
      parameters: region === undefined ? {} : { region },
      fault: c.get("objectFaults").includes("errored-action"),
    });
    // Alone among the actions, this answer has no envelope.
    return c.json(actionView(action), 201);
  });
  app.get("/images/:id/actions/:action", (c) => {
    const id = idParameter(c, "action");
    const action = actionsOf(wanted(c)).find((candidate) => candidate.id === id);
    if (action === undefined) throw notFound();
    return c.json(actionView(action));
  });
  return app;
}
