import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import { Hono } from "hono";
import { createMiddleware } from "hono/factory";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { Cloud } from "#local-cloud/context.ts";
import { isolationMessage } from "#local-cloud/host/isolation.ts";
import { accountRoutes } from "./account.ts";
import { actionRoutes } from "./actions.ts";
import { domainRoutes } from "./domains.ts";
import { dropletRoutes } from "./droplets.ts";
import { type Fault, faultRoutes, isObjectFault } from "./faults.ts";
import { frontPage } from "./frontPage.ts";
import { authorized, fromThisMachine, isAuthorized } from "./guard.ts";
import { type ApiContext, ApiError, type Env, errorBody, notFound } from "./http.ts";
import { imageRoutes } from "./images.ts";
import { keyRoutes } from "./keys.ts";
import { projectRoutes } from "./projects.ts";
import { createRateLimit } from "./rateLimit.ts";
import { releaseRoutes } from "./releases.ts";
import { snapshotRoutes } from "./snapshots.ts";
import { tagRoutes } from "./tags.ts";

const heldMs = 60_000;

/**
 * Everything on the API's port: `/v2`, the front page, releases, faults and request counts. `now` is the rate limits'
 * clock, in Unix ms; a benchmark passes a faster one.
 */
export function createApi(cloud: Cloud, now: () => number = Date.now): Hono<Env> {
  const app = new Hono<Env>({ strict: false });
  const { ratePerHour, ratePerMinute } = cloud.options;
  const limits = {
    perHour: ratePerHour,
    perMinute: ratePerMinute,
    // Listing keys is limited to 10 in 60 s at DigitalOcean; a limit raised for a test raises this one too.
    keysPerMinute: Math.max(10, Math.floor(ratePerMinute / 25)),
  };
  const rate = createRateLimit(limits, now);

  app.use("*", async (c, next) => {
    const id = randomUUID();
    c.set("requestId", id);
    c.set("objectFaults", []);
    await next();
    c.header("x-request-id", id);
  });

  app.use("*", fromThisMachine);

  app.use("/v2/*", async (c, next) => {
    cloud.requests.count(c.req.method, c.req.path);
    await next();
    cloud.requests.countAnswer(c.res.status);
  });

  app.use("/v2/*", async (c, next) => {
    const isKnown = isAuthorized(cloud, c);
    const listsKeys = c.req.method === "GET" && /^\/v2\/account\/keys\/?$/.test(c.req.path);
    const { headers, refused } = rate.take(isKnown ? "own" : "unknown", listsKeys);
    const send = (error: ApiError) =>
      c.json(bodyOf(c, error), error.status, { ...error.headers, ...headers });
    if (!isKnown) return send(new ApiError(401, "Unable to authenticate you."));
    if (refused !== undefined) return send(tooMany(refused.retryAfterSeconds));
    await next();
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    return undefined;
  });

  const withFaults = createMiddleware<Env>(async (c, next) => {
    for (const fault of cloud.faults.meet(c.req.method, c.req.path)) {
      const answer = await suffer(cloud, c, fault, next);
      if (answer === undefined) continue;
      if (!c.finalized) return answer;
      // The true answer is there already: it is taken away, not merged with.
      c.res = undefined;
      c.res = answer;
      return undefined;
    }
    // After an effect that was let happen already, the answer is there.
    if (!c.finalized) await next();
    return undefined;
  });
  app.use("/v2/*", withFaults);
  app.use("/releases/*", withFaults);

  const v2 = new Hono<Env>();
  for (const routes of [
    accountRoutes,
    keyRoutes,
    actionRoutes,
    domainRoutes,
    dropletRoutes,
    imageRoutes,
    snapshotRoutes,
    tagRoutes,
    projectRoutes,
  ]) {
    v2.route("/", routes(cloud));
  }
  app.route("/v2", v2);
  for (const path of ["/_faults", "/_requests", "/_isolation"]) app.use(path, authorized(cloud));
  app.route("/", faultRoutes(cloud.faults));
  app.route("/", releaseRoutes());
  app.get("/_requests", (c) => c.json(cloud.requests.read()));
  app.delete("/_requests", (c) => {
    cloud.requests.reset();
    return c.body(null, 204);
  });
  app.get("/_isolation", (c) =>
    c.json({ kind: cloud.isolation, userMessage: isolationMessage[cloud.isolation] }),
  );
  app.get("/", (c) => c.html(frontPage(cloud)));

  app.notFound((c) => c.json(bodyOf(c, notFound()), 404));
  app.onError((error, c) => {
    if (error instanceof ApiError) return c.json(bodyOf(c, error), error.status, error.headers);
    console.error(`${c.req.method} ${c.req.path}:`, error);
    return c.json(errorBody(500, "Unexpected server-side error", c.get("requestId")), 500);
  });
  return app;
}

function bodyOf(c: ApiContext, error: ApiError) {
  return errorBody(error.status, error.message, c.get("requestId"));
}

function tooMany(retryAfterSeconds: number | undefined): ApiError {
  const headers: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return new ApiError(429, "API Rate limit exceeded.", headers);
}

/** Lets a request suffer one fault; answers what is to be sent instead, or undefined to go on. */
async function suffer(
  cloud: Cloud,
  c: ApiContext,
  fault: Fault,
  next: () => Promise<void>,
): Promise<Response | undefined> {
  const { kind } = fault;
  if (isObjectFault(kind)) {
    c.set("objectFaults", [...c.get("objectFaults"), kind]);
    return undefined;
  }
  if (kind === "latency") {
    await delay(fault.ms ?? 1000, undefined, { signal: cloud.closing }).catch(() => undefined);
    return undefined;
  }
  if (kind.endsWith("-after-effect")) await next();
  if (kind === "status" || kind === "status-after-effect") {
    const status = fault.status as ContentfulStatusCode;
    if (status === 429)
      return faultAnswer(c, tooMany(fault.ms === undefined ? 1 : Math.ceil(fault.ms / 1000)));
    return faultAnswer(c, new ApiError(status, fault.message ?? faultMessage(status)));
  }
  if (kind === "timeout" || kind === "timeout-after-effect") await held(cloud, c, fault.ms ?? heldMs);
  c.env.incoming.socket.destroy();
  return RESPONSE_ALREADY_SENT;
}

function faultAnswer(c: ApiContext, error: ApiError): Response {
  return Response.json(bodyOf(c, error), { status: error.status, headers: error.headers });
}

function faultMessage(status: number): string {
  if (status === 503) return "Service is currently unavailable.";
  if (status >= 500) return "Unexpected server-side error";
  return "The request was refused on demand.";
}

/** Until the client gives up, the time is over, or the cloud closes. */
async function held(cloud: Cloud, c: ApiContext, ms: number): Promise<void> {
  const gone = new AbortController();
  c.env.incoming.socket.once("close", () => gone.abort());
  await delay(ms, undefined, { signal: AbortSignal.any([gone.signal, cloud.closing]) }).catch(
    () => undefined,
  );
}
