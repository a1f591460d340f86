import { createHash } from "node:crypto";
import { Hono } from "hono";
import ssh2 from "ssh2";
import { z } from "zod";
import type { Cloud } from "#local-cloud/context.ts";
import type { Key } from "#local-cloud/host/state.ts";
import { type ApiContext, type Env, notFound, page, parseInput, readBody, unprocessable } from "./http.ts";

const nameSchema = z.string({ error: "Name can't be blank" }).trim().min(1, "Name can't be blank");
const createSchema = z.object({ name: nameSchema, public_key: z.string({ error: "Key can't be blank" }) });
const updateSchema = z.object({ name: nameSchema });

/** MD5 of the key's blob in colon form, or undefined when the text is no public key. */
function fingerprintOf(publicKey: string): string | undefined {
  const parsed = ssh2.utils.parseKey(publicKey);
  if (parsed instanceof Error || parsed.isPrivateKey()) return undefined;
  const digest = createHash("md5").update(parsed.getPublicSSH()).digest("hex");
  return digest.match(/../g)?.join(":");
}

/** By id or by fingerprint, as number or as text. */
export function findKey(cloud: Cloud, identifier: string | number): Key | undefined {
  const text = String(identifier);
  return cloud.store.state.keys.find((key) => String(key.id) === text || key.fingerprint === text);
}

const view = (key: Key) => ({
  id: key.id,
  fingerprint: key.fingerprint,
  public_key: key.publicKey,
  name: key.name,
});

/** `/v2/account/keys`. */
export function keyRoutes(cloud: Cloud): Hono<Env> {
  const { store } = cloud;
  const app = new Hono<Env>();
  const wanted = (c: ApiContext): Key => {
    const key = findKey(cloud, c.req.param("key") ?? "");
    if (key === undefined) throw notFound();
    return key;
  };
  app.get("/account/keys", (c) => c.json(page(c, "ssh_keys", store.state.keys, view)));
  app.post("/account/keys", async (c) => {
    const input = parseInput(createSchema, await readBody(c));
    const fingerprint = fingerprintOf(input.public_key);
    if (fingerprint === undefined)
      throw unprocessable("Key invalid, key should be of the format `type key [comment]`");
    if (findKey(cloud, fingerprint)) throw unprocessable("SSH Key is already in use on your account");
    const key: Key = { id: store.newId(), name: input.name, publicKey: input.public_key.trim(), fingerprint };
    store.state.keys.push(key);
    await store.save();
    return c.json({ ssh_key: view(key) }, 201);
  });
  app.get("/account/keys/:key", (c) => c.json({ ssh_key: view(wanted(c)) }));
  app.put("/account/keys/:key", async (c) => {
    const key = wanted(c);
    key.name = parseInput(updateSchema, await readBody(c)).name;
    await store.save();
    return c.json({ ssh_key: view(key) });
  });
  app.delete("/account/keys/:key", async (c) => {
    const key = wanted(c);
    store.state.keys = store.state.keys.filter((other) => other !== key);
    await store.save();
    return c.body(null, 204);
  });
  return app;
}
