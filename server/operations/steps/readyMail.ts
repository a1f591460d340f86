import { addReadyMail } from "#server/mail/outbox.ts";
import { done, type Step, step } from "#server/operations/engine/define.ts";

/** Writes to Joe that the intranet is ready, with the link: into the outbox, from where it is sent whenever it can be. */
export const emailReady = <Facts>(): Step<Facts> =>
  step("email", "Send the email", async ({ operation, now, monotonic }) =>
    done({ rows: (tx) => addReadyMail(tx, { now, monotonic }, operation.id) }),
  );
