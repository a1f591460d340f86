import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { z } from "zod";
import type { ObjectFault } from "#local-cloud/host/state.ts";

export type Env = {
  Bindings: HttpBindings;
  Variables: { requestId: string; objectFaults: ObjectFault[] };
};
export type ApiContext = Context<Env>;

const idOfStatus: Record<number, string> = {
  400: "bad_request",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  409: "conflict",
  422: "unprocessable_entity",
  429: "too_many_requests",
  500: "server_error",
  503: "service_unavailable",
};

/** An answer in DigitalOcean's error shape. */
export class ApiError extends Error {
  readonly status: ContentfulStatusCode;
  readonly headers: Record<string, string>;
  constructor(status: ContentfulStatusCode, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export const notFound = (): ApiError =>
  new ApiError(404, "The resource you were accessing could not be found.");
export const unprocessable = (message: string): ApiError => new ApiError(422, message);

/** Body of an error answer: `{id, message, request_id}`. */
export function errorBody(status: number, message: string, requestId: string) {
  return { id: idOfStatus[status] ?? "server_error", message, request_id: requestId };
}

/** The JSON body as it came; nothing and `null` (ansible sends it) count as an empty object. */
export async function readBody(c: ApiContext): Promise<unknown> {
  const text = await c.req.text();
  if (text.trim() === "") return {};
  try {
    return (JSON.parse(text) as unknown) ?? {};
  } catch {
    throw new ApiError(400, "The request body is not valid JSON.");
  }
}

/** Parses with 422 and a sentence for the first thing that is wrong. */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join(".") ?? "";
  throw unprocessable(where === "" ? (issue?.message ?? "Invalid request.") : `${where}: ${issue?.message}`);
}

/** Number in a path, or 404: DigitalOcean's ids are numbers. */
export function idParameter(c: ApiContext, name: string): number {
  const value = c.req.param(name) ?? "";
  if (!/^\d{1,15}$/.test(value)) throw notFound();
  return Number(value);
}

/** ISO 8601 in UTC without fractions, as DigitalOcean writes it. */
export function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
}

/** One page of a list: `per_page` 1 to 200 (default 20), `page` from 1; `links` and `meta` always there. */
export function page<Item>(
  c: ApiContext,
  key: string,
  items: readonly Item[],
  view: (item: Item) => unknown,
) {
  const perPage = Math.min(200, positive(c.req.query("per_page"), 20));
  const current = positive(c.req.query("page"), 1);
  const last = Math.max(1, Math.ceil(items.length / perPage));
  const link = (number: number): string => {
    const url = new URL(c.req.url);
    url.searchParams.set("page", String(number));
    url.searchParams.set("per_page", String(perPage));
    return url.toString();
  };
  const pages: Record<string, string> = {};
  if (last > 1 && current > 1) {
    pages.first = link(1);
    pages.prev = link(Math.min(current - 1, last));
  }
  if (last > 1 && current < last) {
    pages.next = link(current + 1);
    pages.last = link(last);
  }
  const from = (current - 1) * perPage;
  return {
    [key]: items.slice(from, from + perPage).map(view),
    links: Object.keys(pages).length > 0 ? { pages } : {},
    meta: { total: items.length },
  };
}

function positive(text: string | undefined, fallback: number): number {
  const number = Number(text);
  return Number.isInteger(number) && number > 0 ? number : fallback;
}
