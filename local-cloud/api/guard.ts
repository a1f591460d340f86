import { createHash, timingSafeEqual } from "node:crypto";
import { createMiddleware } from "hono/factory";
import type { Cloud } from "#local-cloud/context.ts";
import { type ApiContext, ApiError, type Env } from "./http.ts";

const ownNames = new Set(["127.0.0.1", "localhost"]);

/**
 * Answers only to programs on this machine that call the API by one of its own names. A page of another site, which any
 * browser here may have open, can neither send a request nor rebind its name to this address.
 */
export const fromThisMachine = createMiddleware<Env>(async (c, next) => {
  const host = hostOf(`http://${c.req.header("host") ?? ""}`);
  if (host === undefined || !ownNames.has(host.hostname))
    throw new ApiError(403, "The local cloud answers to 127.0.0.1 and localhost only.");
  const site = c.req.header("sec-fetch-site");
  const origin = c.req.header("origin");
  // Whoever follows a link sees the front page; a page that embeds it doesn't.
  const isVisit =
    c.req.method === "GET" &&
    c.req.header("sec-fetch-mode") === "navigate" &&
    c.req.header("sec-fetch-dest") === "document";
  const isForeign =
    (site !== undefined && site !== "none" && site !== "same-origin" && !isVisit) ||
    (origin !== undefined && hostOf(origin)?.host !== host.host);
  if (isForeign) throw new ApiError(403, "The local cloud doesn't answer to pages of other sites.");
  await next();
});

function hostOf(url: string): URL | undefined {
  return URL.canParse(url) ? new URL(url) : undefined;
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Whether a request carries the cloud's own token. */
export function isAuthorized({ options }: Pick<Cloud, "options">, c: ApiContext): boolean {
  const token = /^Bearer\s+(\S+)\s*$/i.exec(c.req.header("authorization") ?? "")?.[1];
  return token !== undefined && timingSafeEqual(digest(token), digest(options.token));
}

/** 401 without the cloud's own token: for what isn't part of DigitalOcean's API. */
export const authorized = (cloud: Pick<Cloud, "options">) =>
  createMiddleware<Env>(async (c, next) => {
    if (!isAuthorized(cloud, c)) throw new ApiError(401, "Unable to authenticate you.");
    await next();
  });
