import { done, type Step, step } from "./definition.ts";

/** Writes to Joe that the intranet is ready, with the link: once in an operation's life. */
export const emailReady = <Facts>(): Step<Facts> =>
  step("email", "Email Joe", async ({ providers, operation }) => {
    await providers.sendMail(operation.id, "ready");
    return done();
  });
