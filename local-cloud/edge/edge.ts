import http, { type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type Socket } from "node:net";
import { html } from "hono/html";
import { pageHtml } from "#local-cloud/api/pages.ts";
import type { Cloud } from "#local-cloud/context.ts";
import { resolve } from "./dns.ts";

/** How long a reader waits for a site that does not listen, in ms. */
const patienceMs = 1500;
/** What answered so short a time ago is only being restarted, and is waited for. */
const restartMs = 10_000;
/** Nothing listens, or what listened went away before it said anything. */
const gone = new Set(["ECONNREFUSED", "ECONNRESET"]);

/**
 * The way from a browser to a droplet: Host header → A record of the local DNS → web port of that
 * address. Streams, server-sent events and websockets pass through as they come.
 */
export function createEdge(cloud: Cloud): Server {
  const agent = new http.Agent({ keepAlive: false });
  const answeredAt = new Map<string, number>();
  const server = http.createServer((request, response) => {
    const { host, addresses } = route(cloud, request);
    const [address] = addresses;
    if (address === undefined) {
      void explain(cloud, request, response, 404, host, "No site at this address", [
        `There's no DNS record for ${host}.`,
        "If you just created it, try again in a few seconds.",
      ]);
      return;
    }
    const silent = () =>
      void explain(cloud, request, response, 502, host, "This site isn't responding", [
        `${host} points to a droplet that isn't responding.`,
        "This page retries every 5 seconds.",
      ]);
    if (!isDroplet(cloud, address)) return silent();
    let upstream: http.ClientRequest;
    // A restart takes a moment in which nothing listens: who only reads waits for it, as behind any web server.
    const until = Math.max(Date.now() + patienceMs, (answeredAt.get(address) ?? 0) + restartMs);
    const patient = request.method === "GET" || request.method === "HEAD";
    const ask = () => {
      upstream = http.request(
        {
          host: address,
          port: cloud.options.webPort,
          method: request.method,
          path: request.url,
          headers: forwarded(request, host),
          agent,
        },
        (answer) => {
          answeredAt.set(address, Date.now());
          response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answer.rawHeaders);
          // Server-sent events have a head long before they have a body.
          response.flushHeaders();
          answer.pipe(response);
          answer.on("error", () => response.destroy());
        },
      );
      upstream.on("error", (error: NodeJS.ErrnoException) => {
        if (response.headersSent) response.destroy();
        else if (patient && gone.has(error.code ?? "") && Date.now() < until && isOn(cloud, address))
          setTimeout(ask, 100);
        else silent();
      });
      if (patient) upstream.end();
      else request.pipe(upstream);
    };
    response.on("close", () => upstream?.destroy());
    ask();
  });
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { host, addresses } = route(cloud, request);
    const [address] = addresses;
    if (address === undefined || !isDroplet(cloud, address)) {
      socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const upstream = connect(cloud.options.webPort, address, () => {
      const lines = Object.entries(forwarded(request, host)).flatMap(([name, value]) =>
        [value ?? []].flat().map((one) => `${name}: ${one}`),
      );
      upstream.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      upstream.write(head);
      upstream.pipe(socket);
      socket.pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    upstream.on("close", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
    socket.on("close", () => upstream.destroy());
  });
  // Streams may be open for hours.
  server.requestTimeout = 0;
  return server;
}

function route(cloud: Cloud, request: IncomingMessage): { host: string; addresses: string[] } {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "").toLowerCase();
  return { host, addresses: resolve(cloud.store.state, host) };
}

/** The edge leads to droplets and to nothing else on this machine or behind it. */
function isDroplet(cloud: Cloud, address: string): boolean {
  return cloud.store.state.droplets.some((one) => one.address === address && one.deletedAt === null);
}

function isOn(cloud: Cloud, address: string): boolean {
  return cloud.store.state.droplets.some((one) => one.address === address && one.status === "active");
}

function forwarded(request: IncomingMessage, host: string): http.OutgoingHttpHeaders {
  return {
    ...request.headers,
    "x-forwarded-for": request.socket.remoteAddress ?? "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": request.headers.host ?? host,
  };
}

async function explain(
  cloud: Cloud,
  request: IncomingMessage,
  response: ServerResponse,
  status: 404 | 502,
  host: string,
  title: string,
  userMessages: readonly string[],
): Promise<void> {
  request.resume();
  const arrival = await arrivalPage(cloud, request, host);
  const page =
    arrival ??
    (await pageHtml({
      title,
      alone: true,
      refreshSeconds: 5,
      body: html`<h1>${title}</h1>${userMessages.map((userMessage) => html`<p class="lead">${userMessage}</p>`)}`,
    }));
  response.writeHead(arrival === undefined ? status : 503, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    // By this the page itself knows that it is not the site yet.
    ...(arrival === undefined ? {} : { "retry-after": "5", "x-arrival": "yes" }),
  });
  response.end(request.method === "HEAD" ? undefined : String(page));
}

/** The page of whoever prepares the site, if there is one and it knows this host (2xx within 2 s). */
async function arrivalPage(
  cloud: Cloud,
  request: IncomingMessage,
  host: string,
): Promise<string | undefined> {
  const { arrivalUrl } = cloud.options;
  const wantsPage = request.method === "GET" && request.headers.accept?.includes("text/html");
  if (arrivalUrl === undefined || !wantsPage) return undefined;
  try {
    const url = new URL(arrivalUrl);
    url.searchParams.set("host", host);
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000), redirect: "error" });
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}
