import { Hono } from "hono";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import { type ApiContext, type Env, notFound, page, parseInput, readBody, unprocessable } from "./http.ts";

const tagName = z
  .string()
  .max(255)
  .regex(/^[a-zA-Z0-9_\-:]+$/);
const resourcesSchema = z.object({
  resources: z.array(z.object({ resource_id: z.coerce.string(), resource_type: z.string() })),
});

/** The spelling a tag was made with, or undefined: tags are one whatever the case they are asked by. */
export function knownTag(cloud: Cloud, name: string): string | undefined {
  return cloud.store.state.tags.find((tag) => tag.name.toLowerCase() === name.toLowerCase())?.name;
}

/** Makes the tags that are new and answers all in their known spelling; 422 for an impossible name. */
export function ensureTags(cloud: Cloud, names: readonly string[]): string[] {
  const wrong = names.find((name) => !tagName.safeParse(name).success);
  if (wrong !== undefined) throw unprocessable(`Tag "${wrong}" contains invalid characters`);
  const tags = names.map((name) => {
    const known = knownTag(cloud, name);
    if (known === undefined) cloud.store.state.tags.push({ name });
    return known ?? name;
  });
  return [...new Set(tags)];
}

function view(cloud: Cloud, name: string) {
  const { droplets, images } = cloud.store.state;
  const statistics = (kind: string, ids: readonly number[]) => ({
    count: ids.length,
    ...(ids.length > 0 ? { last_tagged_uri: `${cloud.apiUrl}/v2/${kind}/${ids.at(-1)}` } : {}),
  });
  const ofDroplets = statistics(
    "droplets",
    droplets.filter((one) => one.deletedAt === null && one.tags.includes(name)).map((one) => one.id),
  );
  const ofImages = statistics(
    "images",
    images.filter((one) => one.tags.includes(name)).map((one) => one.id),
  );
  const none = { count: 0 };
  const last = ofDroplets.last_tagged_uri ?? ofImages.last_tagged_uri;
  return {
    name,
    resources: {
      count: ofDroplets.count + ofImages.count,
      ...(last === undefined ? {} : { last_tagged_uri: last }),
      droplets: ofDroplets,
      images: ofImages,
      volumes: none,
      volume_snapshots: none,
      databases: none,
    },
  };
}

/** `/v2/tags`. */
export function tagRoutes(cloud: Cloud): Hono<Env> {
  const { store } = cloud;
  const app = new Hono<Env>();
  const wanted = (c: ApiContext): string => {
    const name = knownTag(cloud, c.req.param("tag") ?? "");
    if (name === undefined) throw notFound();
    return name;
  };
  const tagged = async (c: ApiContext) => {
    const { resources } = parseInput(resourcesSchema, await readBody(c));
    return resources.map(({ resource_id, resource_type }) => {
      const id = Number(resource_id);
      const found =
        resource_type === "droplet"
          ? store.state.droplets.find((one) => one.id === id && one.deletedAt === null)
          : store.state.images.find((one) => one.id === id);
      if (found === undefined) throw notFound();
      return found;
    });
  };
  app.get("/tags", (c) => {
    const names = store.state.tags.map((tag) => tag.name).sort((a, b) => a.localeCompare(b));
    return c.json(page(c, "tags", names, (name) => view(cloud, name)));
  });
  app.post("/tags", async (c) => {
    const input = z.object({ name: tagName }).safeParse(await readBody(c));
    if (!input.success) {
      const error = "Tag names may hold letters, digits, colons, dashes and underscores, at most 255.";
      return c.json({ id: "bad_request", message: error, error, messages: [error], root_causes: [] }, 400);
    }
    const [name = input.data.name] = ensureTags(cloud, [input.data.name]);
    await store.save();
    return c.json({ tag: view(cloud, name) }, 201);
  });
  app.get("/tags/:tag", (c) => c.json({ tag: view(cloud, wanted(c)) }));
  app.delete("/tags/:tag", async (c) => {
    const name = wanted(c);
    store.state.tags = store.state.tags.filter((tag) => tag.name !== name);
    for (const one of [...store.state.droplets, ...store.state.images]) {
      one.tags = one.tags.filter((tag) => tag !== name);
    }
    await store.save();
    return c.body(null, 204);
  });
  app.post("/tags/:tag/resources", async (c) => {
    const name = wanted(c);
    for (const one of await tagged(c)) if (!one.tags.includes(name)) one.tags.push(name);
    await store.save();
    return c.body(null, 204);
  });
  app.delete("/tags/:tag/resources", async (c) => {
    const name = wanted(c);
    for (const one of await tagged(c)) one.tags = one.tags.filter((tag) => tag !== name);
    await store.save();
    return c.body(null, 204);
  });
  return app;
}
