import { arrivalAt } from "#server/api/arrival.ts";
import { web } from "#server/web.ts";
import { drawArrival } from "./draw.ts";

export const dynamic = "force-dynamic";

/** The page at an intranet's address while it is not there; open to all, asked for by the edge with `?host=`. */
export async function GET(request: Request): Promise<Response> {
  const host = new URL(request.url).searchParams.get("host") ?? "";
  const arrival = /^[a-z0-9.-]{1,253}$/.test(host) ? arrivalAt(web().db, host) : undefined;
  if (arrival === undefined) return new Response("Nothing is in progress at this address.", { status: 404 });
  return new Response(await drawArrival(arrival, Date.now()), {
    headers: { "content-type": "text/html; charset=utf-8", "cache-control": "no-store", "x-arrival": "yes" },
  });
}
