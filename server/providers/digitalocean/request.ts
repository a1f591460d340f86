import type { z } from "zod";
import { ProviderError } from "#server/providers/errors.ts";
import { refusalFor } from "./apiErrors.ts";
import { type Budget, BudgetSpent } from "./budget.ts";
import { errorAnswer } from "./schemas.ts";
import { explainSilence } from "./silence.ts";

type Call = {
  method: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  body?: unknown;
};

/** On whose behalf requests are sent. */
export type Caller = {
  /** Aborts when the caller has given up. */
  signal: AbortSignal;
  /** Asked right before a request that changes something is sent; throws when the caller must not any more. */
  mayAct: () => void;
};

export type Requester = {
  /** The parsed answer; throws ProviderError. */
  ask: <Answer>(call: Call, answer: z.ZodType<Answer>) => Promise<Answer>;
  /** Like ask, but undefined for a 404. */
  find: <Answer>(call: Call, answer: z.ZodType<Answer>) => Promise<Answer | undefined>;
  /** For calls without an answer: false for a 404. */
  tell: (call: Call) => Promise<boolean>;
  count: () => number;
  /** The same, for one caller: its requests end with its signal, and change nothing once it must not. */
  for: (caller: Caller) => Requester;
};

export type RequesterOptions = {
  token: string;
  apiUrl: string;
  budget: Budget;
  timeoutMs: number;
  random: () => number;
  /** Wall clock, Unix ms: DigitalOcean names moments by it. */
  now: () => number;
  wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** A signal that aborts that many ms from now. */
  deadline: (ms: number) => AbortSignal;
  fetch: Fetch;
};

/** What the client needs of `fetch`. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; signal: AbortSignal; body?: string },
) => Promise<Pick<Response, "status" | "ok" | "text"> & { headers: Pick<Headers, "get"> }>;

/** Attempts of a call that is safe to repeat. */
const attempts = 4;

/**
 * Sends requests to DigitalOcean's API within the process' budget. What is safe to repeat (everything but POST) is
 * repeated with full jitter; of a POST that got no clear answer the error says `unclear`.
 */
export function createRequester(options: RequesterOptions): Requester {
  const { token, apiUrl, budget, timeoutMs, random, now, wait, deadline, fetch } = options;
  let count = 0;
  let refusalsInARow = 0;

  /** Waits for this request's turn; a turn that is far away is handed back to whoever asked. */
  async function turn({ method, path }: Call, signal: AbortSignal | undefined): Promise<void> {
    try {
      await budget.take(signal);
    } catch (error) {
      if (!(error instanceof BudgetSpent)) throw error;
      throw new ProviderError({
        ...refusalFor(429),
        detail: `${method} /v2/${path}: ${error.message}`,
        retryable: true,
        retryAfterMs: error.ms,
      });
    }
  }

  async function once(call: Call, caller?: Caller): Promise<{ status: number; json: unknown }> {
    const { method, path, body } = call;
    const signal = caller?.signal;
    // fetch would refuse such a header with an error that quotes it, token and all.
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new ProviderError({
        ...refusalFor(401),
        detail: "The token holds characters that no HTTP header may carry.",
        retryable: false,
      });
    await turn(call, signal);
    // Nothing is awaited between this and the sending.
    signal?.throwIfAborted();
    if (method !== "GET") caller?.mayAct();
    count += 1;
    const timeout = deadline(timeoutMs);
    let response: Awaited<ReturnType<Fetch>>;
    let text: string;
    try {
      response = await fetch(`${apiUrl}/v2/${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        signal: signal === undefined ? timeout : AbortSignal.any([timeout, signal]),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      text = await response.text();
    } catch (error) {
      throw explainSilence({ method, path, apiUrl, timeoutMs, error, givenUp: signal?.aborted === true });
    }
    const remaining = Number(response.headers.get("ratelimit-remaining") ?? "1");
    budget.learn(remaining, untilReset(response));
    if (response.status !== 429) refusalsInARow = 0;
    if (response.ok || response.status === 404) return { status: response.status, json: parseJson(text) };
    throw refusal(`${method} /v2/${path}`, method, response, text);
  }

  /** Ms until the limit is lifted, by DigitalOcean's own clock where it says what time it is. */
  function untilReset({ headers }: Awaited<ReturnType<Fetch>>): number {
    const theirs = Date.parse(headers.get("date") ?? "");
    const reset = Number(headers.get("ratelimit-reset") ?? "0") * 1000;
    return reset - (Number.isNaN(theirs) ? now() : theirs);
  }

  function refusal(
    what: string,
    method: string,
    response: Awaited<ReturnType<Fetch>>,
    text: string,
  ): ProviderError {
    const { status } = response;
    const parsed = errorAnswer.safeParse(parseJson(text));
    const message = parsed.success ? parsed.data.message : `HTTP ${status}`;
    const refused = refusalFor(status, message);
    let retryAfterMs: number | undefined;
    if (status === 429) {
      const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
      const reset = untilReset(response);
      // A reset that lies in the past says nothing: then a pause of its own, with jitter.
      retryAfterMs = Number.isFinite(seconds)
        ? seconds * 1000
        : reset > 0
          ? Math.min(reset, 60_000)
          : Math.min(60_000, 5000 * 2 ** refusalsInARow) * (0.5 + random() / 2);
      refusalsInARow += 1;
      budget.pauseFor(retryAfterMs);
    }
    return new ProviderError({
      ...refused,
      detail: `${what}: ${status} ${message}`,
      retryable: status === 429 || status === 408 || status >= 500 || refused.code === "busy",
      retryAfterMs: refused.code === "busy" ? 3000 : retryAfterMs,
      unclear: method === "POST" && (status >= 500 || status === 408),
    });
  }

  async function send(call: Call, caller?: Caller) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once(call, caller);
      } catch (error) {
        const passing = error instanceof ProviderError && error.retryable;
        const safe = call.method !== "POST" && caller?.signal.aborted !== true;
        if (!passing || !safe || attempt >= attempts || error.retryAfterMs !== undefined) throw error;
        await wait(random() * 500 * 2 ** attempt, caller?.signal);
      }
    }
  }

  const parse = <Answer>(call: Call, answer: z.ZodType<Answer>, json: unknown): Answer => {
    const parsed = answer.safeParse(json);
    if (parsed.success) return parsed.data;
    throw new ProviderError({
      userMessage: "DigitalOcean gave an answer that the Spawner doesn't understand.",
      detail: `${call.method} /v2/${call.path}: ${parsed.error.message}`,
      retryable: false,
      // It was a 2xx: what was asked for has probably happened.
      unclear: call.method === "POST",
    });
  };

  const over = (caller?: Caller): Requester => ({
    async ask(call, answer) {
      const { status, json } = await send(call, caller);
      if (status === 404)
        throw new ProviderError({
          ...refusalFor(404),
          detail: `${call.method} /v2/${call.path}: 404`,
          retryable: false,
        });
      return parse(call, answer, json);
    },
    async find(call, answer) {
      const { status, json } = await send(call, caller);
      return status === 404 ? undefined : parse(call, answer, json);
    },
    async tell(call) {
      return (await send(call, caller)).status !== 404;
    },
    count: () => count,
    for: over,
  });
  return over();
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
