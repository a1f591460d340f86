import type { Env } from "#server/env.ts";
import { createOutboxMailer, createResendMailer, type Mailer } from "#server/providers/mail/mail.ts";

/** Resend with a key, the outbox page without one. */
export function createMailer({ mail }: Pick<Env, "mail">): Mailer {
  if (mail.resendApiKey === undefined) return createOutboxMailer();
  return createResendMailer({
    apiKey: mail.resendApiKey,
    from: mail.from,
    ...(mail.resendApiUrl === undefined ? {} : { apiUrl: mail.resendApiUrl }),
  });
}
