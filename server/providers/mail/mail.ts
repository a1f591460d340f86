import { Resend } from "resend";
import { z } from "zod";
import { ProviderError } from "#server/providers/errors.ts";

export type Mail = { to: string; subject: string; html: string; text: string; idempotencyKey: string };
export type Mailer = {
  kind: "resend" | "outbox";
  /** For how long the same idempotency key twice is one mail, ms from the first time. */
  idempotentForMs: number;
  /** Sends one mail. Throws ProviderError: `unclear` when the mail may have been accepted all the same. */
  send: (mail: Mail, signal: AbortSignal) => Promise<{ id: string }>;
  check: () => Promise<{ ok: boolean; userMessage: string }>;
};

/** Resend remembers keys for 24 hours; clocks and slow requests get the rest. */
const resendIdempotentForMs = 20 * 3_600_000;

const sent = z.object({ id: z.string() });

/** Mail through Resend. The key never appears in an error. */
export function createResendMailer(options: { apiKey: string; from: string; apiUrl?: string }): Mailer {
  const resend = new Resend(options.apiKey, options.apiUrl === undefined ? {} : { baseUrl: options.apiUrl });
  return {
    kind: "resend",
    idempotentForMs: resendIdempotentForMs,
    async send({ to, subject, html, text, idempotencyKey }, signal) {
      const { data, error } = await resend.emails.send(
        { from: options.from, to, subject, html, text },
        { idempotencyKey, signal },
      );
      if (error !== null) throw mailError(error);
      const answer = sent.safeParse(data);
      if (answer.success) return answer.data;
      // Safe to ask again: the idempotency key makes two requests one mail.
      throw new ProviderError({
        userMessage: "Resend gave an answer that the Spawner doesn't understand.",
        detail: `Resend: ${answer.error.message}`,
        retryable: true,
        unclear: true,
      });
    },
    async check() {
      const { error } = await resend.domains.list();
      // A key that may only send is refused here, and is a good key all the same.
      if (error === null || error.name === "restricted_api_key")
        return { ok: true, userMessage: "Resend accepts the key." };
      return { ok: false, userMessage: mailError(error).userMessage };
    },
  };
}

/** Resend's client hands on whatever JSON came as the error: nothing in it is certain. */
function mailError(error: { name?: string; message?: string; statusCode?: number | null }): ProviderError {
  const { name = "unknown", message = "no reason given" } = error;
  const status = error.statusCode ?? 0;
  // No answer, one from a broken server, or another request with the same key that is still under way.
  const unclear = status === 0 || status >= 500 || name === "concurrent_idempotent_requests";
  const passing = unclear || status === 429;
  const userMessage = /api_key/.test(name)
    ? "Resend doesn't accept the key. Set RESEND_API_KEY to a valid one and restart the Spawner."
    : passing
      ? "Resend can't take mail at the moment."
      : `Resend refused the mail: ${message.replace(/\.?$/, ".")}`;
  return new ProviderError({
    userMessage,
    detail: `Resend: ${status} ${name}: ${message}`,
    retryable: passing,
    unclear,
  });
}

/** The provider id in a mail's row if the mail was kept in the outbox instead of sent. */
export const outboxId = "outbox";

/** Without a Resend key: the mail stays where it is and is shown on the outbox page. */
export function createOutboxMailer(): Mailer {
  return {
    kind: "outbox",
    idempotentForMs: Number.POSITIVE_INFINITY,
    send: async () => ({ id: outboxId }),
    check: async () => ({
      ok: true,
      userMessage: "RESEND_API_KEY is not set, so mail stays on the Outbox page.",
    }),
  };
}
