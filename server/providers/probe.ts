import { request as plainRequest } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import { createSecureContext, type SecureContext } from "node:tls";
import { z } from "zod";

export type Answer = {
  ok: boolean;
  status?: number;
  version?: string;
  ms: number;
  userMessage: string;
  /** The resolver says that there is no such name. */
  isNameUnknown?: boolean;
};
export type Probe = {
  /** Asks the instance's own URL how it is. Never throws: what went wrong is the answer's sentence. */
  answer: (url: string, options?: { timeoutMs?: number; signal?: AbortSignal }) => Promise<Answer>;
  /**
   * Asks the intranet which variables it works with. Undefined when they are these, or when it does not say (only the
   * stand-in has such a page); otherwise a sentence that names no value.
   */
  variablesInEffect: (
    url: string,
    variables: readonly { name: string; value: string }[],
    signal?: AbortSignal,
  ) => Promise<string | undefined>;
};

const health = z.object({ status: z.literal("ok"), version: z.string() });
const shownVariables = z.record(z.string(), z.string());
/** Twice what an instance's variables may hold. */
const bodyLimit = 128 * 1024;
const defaultTimeoutMs = 5000;

/** Looks at instances from outside, as a visitor's browser would: `*.localhost` is always this machine. */
export function createProbe({ ca }: { ca?: string } = {}): Probe {
  const tlsAgent = createTlsAgents(ca);
  return {
    answer: async (url, { timeoutMs = defaultTimeoutMs, signal } = {}) => {
      const began = performance.now();
      const taken = () => Math.round(performance.now() - began);
      try {
        const { status, body } = await get(tlsAgent, new URL("/healthz", url), timeoutMs, signal);
        const parsed = health.safeParse(parseJson(body));
        if (status === 200 && parsed.success)
          return { ok: true, status, version: parsed.data.version, ms: taken(), userMessage: "It answers." };
        const userMessage =
          status === 200 ? "Something else answers there." : `It answers with HTTP ${status}.`;
        return { ok: false, status, ms: taken(), userMessage };
      } catch (error) {
        const isNameUnknown = isUnknownName(error);
        return {
          ok: false,
          ms: taken(),
          userMessage: explain(error),
          ...(isNameUnknown ? { isNameUnknown } : {}),
        };
      }
    },
    variablesInEffect: async (url, variables, signal) => {
      const key = variables.find(({ name }) => name === "ADMIN_KEY")?.value ?? "";
      try {
        const asked = await get(tlsAgent, new URL("/variables", url), defaultTimeoutMs, signal, {
          "x-admin-key": key,
        });
        if (asked.status === 404) return undefined;
        const found = shownVariables.safeParse(parseJson(asked.body));
        const wrong = variables.filter(({ name, value }) => found.data?.[name] !== value);
        if (asked.status === 200 && wrong.length === 0) return undefined;
        return wrong.length === 0 || asked.status !== 200
          ? "It doesn't show its variables yet."
          : `It doesn't work with the new ${wrong.map(({ name }) => name).join(", ")} yet.`;
      } catch (error) {
        return explain(error);
      }
    },
  };
}

/** For how long a server that has shown its certificate needn't show it again, ms. */
const certificateSeenForMs = 5 * 60_000;

/** The classical curves. The post-quantum exchange that comes first by default takes half as much CPU again. */
const curves = "X25519:P-256:P-384";

/**
 * Every check makes a new connection, as a new visitor does: a reused one would hide a name that points elsewhere. Its
 * handshake resumes the previous session, which only the same server can do. An expired certificate shows as soon as the
 * sessions are forgotten. `ca`: the only certificate to trust; the usual ones by default.
 */
function createTlsAgents(ca?: string): () => TlsAgent {
  let shared: { agent: TlsAgent; madeAt: number } | undefined;
  let secureContext: SecureContext | undefined;
  return () => {
    const now = performance.now();
    if (shared !== undefined && now - shared.madeAt <= certificateSeenForMs) return shared.agent;
    secureContext ??= createSecureContext({ ecdhCurve: curves, ...(ca === undefined ? {} : { ca }) });
    const agent = new TlsAgent({ keepAlive: false, maxCachedSessions: 20_000, secureContext });
    shared = { agent, madeAt: now };
    return agent;
  };
}

function get(
  tlsAgent: () => TlsAgent,
  url: URL,
  timeoutMs: number,
  signal?: AbortSignal,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const isLocal = url.hostname === "localhost" || url.hostname.endsWith(".localhost");
  const isTls = url.protocol === "https:";
  const send = isTls ? tlsRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const request = send(
      url,
      {
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
        agent: isTls ? tlsAgent() : false,
        headers: { host: url.host, accept: "application/json", ...headers },
        ...(isLocal ? { hostname: "127.0.0.1", servername: url.hostname } : {}),
      },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
          if (body.length > bodyLimit) response.destroy(new Error("The answer is too long."));
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
        response.on("error", reject);
      },
    );
    request.on("error", reject);
    request.end();
  });
}

const codeOf = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "");
const isUnknownName = (error: unknown) => ["ENOTFOUND", "EAI_AGAIN"].includes(codeOf(error));

function explain(error: unknown): string {
  const code = codeOf(error);
  const name = error instanceof Error ? error.name : "";
  if (name === "TimeoutError" || name === "AbortError") return "It doesn't answer.";
  if (code === "ECONNREFUSED") return "Nothing listens there yet.";
  if (isUnknownName(error)) return "Its name isn't known yet.";
  if (code.startsWith("ERR_TLS") || code.includes("CERT")) return "Its certificate isn't ready yet.";
  return "The connection broke.";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
