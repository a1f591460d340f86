import { readFileSync } from "node:fs";
import path from "node:path";
import { Hono } from "hono";
import { type Env, notFound } from "./http.ts";
import { tarball } from "./tarball.ts";

/** Newest first. */
const versions: readonly string[] = ["2.14.0", "2.13.0"];

/** A release of the stand-in intranet: `intranet.mjs` and `VERSION`. */
function release(version: string): Buffer {
  const program = readFileSync(path.join(import.meta.dirname, "../droplet/intranet/intranet.mjs"));
  return tarball([
    { name: "VERSION", content: Buffer.from(`${version}\n`), mode: 0o644 },
    { name: "intranet.mjs", content: program, mode: 0o644 },
  ]);
}

/** `/releases`, open to all, as a public image registry is. */
export function releaseRoutes(): Hono<Env> {
  const app = new Hono<Env>();
  const made = new Map<string, Buffer>();
  app.get("/releases", (c) => c.json({ versions }));
  app.get("/releases/:file", (c) => {
    const version = /^intranet-(.+)\.tar\.gz$/.exec(c.req.param("file"))?.[1];
    if (version === undefined || !versions.includes(version)) throw notFound();
    const content = made.get(version) ?? release(version);
    made.set(version, content);
    return c.body(new Uint8Array(content), 200, {
      "content-type": "application/gzip",
      "content-length": String(content.length),
    });
  });
  return app;
}
