import { Resend } from "resend";
import { z } from "zod";
import { ProviderError } from "../errors.ts";

export type Mail = { to: string; subject: string; html: string; text: string; idempotencyKey: string };
export type Mailer = {
  kind: "resend" | "outbox";
  /** Sends one mail; the same idempotency key twice is one mail. Throws ProviderError. */
  send: (mail: Mail) => Promise<{ id: string }>;
  check: () => Promise<{ ok: boolean; sentence: string }>;
};

/** Milliseconds Resend has for one answer; its client has no time-out of its own. */
const defaultTimeoutMs = 20_000;

const sent = z.object({ id: z.string() });

/** Mail through Resend. The key never appears in an error. */
export function createResendMailer(options: {
  apiKey: string;
  from: string;
  apiUrl?: string;
  timeoutMs?: number;
}): Mailer {
  const resend = new Resend(options.apiKey, options.apiUrl === undefined ? {} : { baseUrl: options.apiUrl });
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  return {
    kind: "resend",
    async send({ to, subject, html, text, idempotencyKey }) {
      const { data, error } = await resend.emails.send(
        { from: options.from, to, subject, html, text },
        { idempotencyKey, signal: AbortSignal.timeout(timeoutMs) },
      );
      if (error !== null) throw mailError(error);
      const answer = sent.safeParse(data);
      if (answer.success) return answer.data;
      // Safe to ask again: the idempotency key makes two requests one mail.
      throw new ProviderError({
        sentence: "Resend answered in a way that the Spawner does not understand.",
        detail: `Resend: ${answer.error.message}`,
        retryable: true,
        unclear: true,
      });
    },
    async check() {
      const { error } = await resend.domains.list();
      // A key that may only send is refused here, and is a good key all the same.
      if (error === null || error.name === "restricted_api_key")
        return { ok: true, sentence: "Resend accepts the key." };
      return { ok: false, sentence: mailError(error).sentence };
    },
  };
}

/** Resend's client hands on whatever JSON came as the error: nothing in it is certain. */
function mailError(error: { name?: string; message?: string; statusCode?: number | null }): ProviderError {
  const { name = "unknown", message = "no reason given" } = error;
  const status = error.statusCode ?? 0;
  const passing =
    status === 0 || status === 429 || status >= 500 || name === "concurrent_idempotent_requests";
  const sentence = /api_key/.test(name)
    ? "Resend does not accept the key. Put a valid one into RESEND_API_KEY and start again."
    : passing
      ? "Resend cannot take the mail at the moment."
      : `Resend refused the mail: ${message.replace(/\.?$/, ".")}`;
  return new ProviderError({
    sentence,
    detail: `Resend: ${status} ${name}: ${message}`,
    retryable: passing,
  });
}

/** Without a Resend key: the mail stays where it is and is shown on the outbox page. */
export function createOutboxMailer(): Mailer {
  return {
    kind: "outbox",
    send: async () => ({ id: "outbox" }),
    check: async () => ({ ok: true, sentence: "No RESEND_API_KEY is set: mail is kept on the Outbox page." }),
  };
}
