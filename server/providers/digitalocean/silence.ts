import { ProviderError } from "#server/providers/errors.ts";

/** Codes of connections that never came about: nothing was sent. */
const neverConnected = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** What it means that no answer came: a time-out, a request given up, or no connection. */
export function explainSilence(init: {
  method: string;
  path: string;
  apiUrl: string;
  timeoutMs: number;
  error: unknown;
  /** Whoever asked has given the request up. */
  givenUp: boolean;
}): ProviderError {
  const { method, path, apiUrl, timeoutMs, error, givenUp } = init;
  const timedOut = error instanceof Error && error.name === "TimeoutError";
  const causes = causesOf(error);
  const sent = causes.length === 0 || !causes.every(({ code }) => neverConnected.has(code));
  const what = givenUp
    ? "given up"
    : timedOut
      ? `no answer within ${timeoutMs} ms`
      : causes.map(({ code, message }) => `${code} ${message}`.trim()).join("; ") || String(error);
  return new ProviderError({
    userMessage: givenUp
      ? "The request to DigitalOcean was cancelled."
      : timedOut
        ? "DigitalOcean doesn't answer."
        : `DigitalOcean can't be reached at ${apiUrl}. Check this machine's internet connection.`,
    detail: `${method} /v2/${path}: ${what}`,
    retryable: true,
    unclear: method === "POST" && sent,
  });
}

/** Why a fetch failed. A name with several addresses fails once for each, and says nothing itself. */
function causesOf(error: unknown): { code: string; message: string }[] {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof AggregateError && cause.errors.length > 0)
    return cause.errors.map((one: unknown) => describe(one));
  return cause === undefined ? [] : [describe(cause)];
}

function describe(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: "", message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return { code, message: error.message };
}
