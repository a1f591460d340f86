import { ProviderError } from "#server/providers/errors.ts";
import type { Mail, Mailer } from "#server/providers/mail/mail.ts";
import type { Faults } from "./faults.ts";
import type { Machine, Process } from "./process.ts";

const idempotentMs = 24 * 3_600_000;

/** Resend: the same idempotency key within 24 hours is one mail. */
export function createPost({ timeline }: Machine, faults: Faults) {
  const delivered: (Mail & { at: number })[] = [];

  const mailerFor = (process: Process): Mailer => ({
    kind: "resend",
    idempotentForMs: 20 * 3_600_000,
    send: (mail) => {
      const isAnswerLost = faults.strikes("mail-answer-lost");
      const answer = process.call(
        () => {
          if (faults.isArmed("mail-down")) {
            faults.count("mail-down");
            throw new ProviderError({
              userMessage: "Resend can't take mail at the moment.",
              detail: "Resend: 503",
              retryable: true,
            });
          }
          const isKnown = delivered.some(
            (one) => one.idempotencyKey === mail.idempotencyKey && timeline.now - one.at < idempotentMs,
          );
          if (!isKnown) delivered.push({ ...mail, at: timeline.now });
          return { id: mail.idempotencyKey };
        },
        { isAnswerLost },
      );
      if (!isAnswerLost) return answer;
      return process.clock.wait(20_000).then(() => {
        throw new ProviderError({
          userMessage: "Resend doesn't answer.",
          detail: "Resend: no answer",
          retryable: true,
          unclear: true,
        });
      });
    },
    check: async () => ({ ok: true, userMessage: "Ready." }),
  });
  return { delivered, mailerFor };
}
