import { NextRequest } from "next/server";

/** What a request may do to the Spawner before anybody knows who sent it. */
export type RequestLimits = {
  /** Bytes of body. */
  maxBytes: number;
  /** Where the dashboard is, as browsers see it. */
  dashboardUrl: string;
};

/**
 * The request, its body read within its limit, or the answer that refuses it: 403 to what a page of another site sent to
 * change something, 413 to a body that is too large.
 */
export async function guardRequest(
  request: NextRequest,
  { maxBytes, dashboardUrl }: RequestLimits,
): Promise<{ request: NextRequest } | { refusal: Response }> {
  if (request.method === "GET" || request.method === "HEAD") return { request };
  if (isForeign(request, dashboardUrl)) return refuse(403, "This request came from a page of another site.");
  const body = await readWithin(request, maxBytes);
  if (body === undefined) return refuse(413, `This request is larger than ${maxBytes / 1024} KiB.`);
  const { method, headers, signal, url } = request;
  return { request: new NextRequest(url, { method, headers, signal, body }) };
}

const refuse = (status: number, message: string) => ({
  refusal: Response.json({ error: { message } }, { status, headers: { "cache-control": "no-store" } }),
});

/** Browsers say where a request comes from; programs that are no browsers say nothing, and send no cookie unasked. */
function isForeign({ headers }: Request, dashboardUrl: string): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return true;
  const origin = headers.get("origin");
  if (origin === null) return false;
  const hosts = [headers.get("host"), new URL(dashboardUrl).host];
  return !URL.canParse(origin) || !hosts.includes(new URL(origin).host);
}

async function readWithin(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (Number(request.headers.get("content-length") ?? "0") > maxBytes) return undefined;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  // What the header promised is not what comes.
  for await (const part of request.body ?? []) {
    bytes += part.byteLength;
    if (bytes > maxBytes) return undefined;
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}
