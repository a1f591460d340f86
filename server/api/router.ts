import { tracked } from "@trpc/server";
import { z } from "zod";
import { sessionUser } from "#server/auth/sessions.ts";
import { backupsRouter } from "#server/backups/router.ts";
import { driftRouter } from "#server/drift/router.ts";
import { instancesRouter } from "#server/instances/router.ts";
import { outboxViews } from "#server/mail/outbox.ts";
import { operationsRouter } from "#server/operations/router.ts";
import { settingsRouter } from "#server/settings/router.ts";
import { activityRouter } from "./activity.ts";
import { lastEventId } from "./liveFeed.ts";
import { procedure, router } from "./trpc.ts";

/** How often an open stream asks whether its session still counts. */
const sessionCheckMs = 2000;

export const appRouter = router({
  session: router({
    me: procedure.query(({ ctx: { web, user } }) => ({ ...user, lastEventId: lastEventId(web.db) })),
  }),
  instances: instancesRouter,
  backups: backupsRouter,
  operations: operationsRouter,
  settings: settingsRouter,
  drift: driftRouter,
  activity: activityRouter,
  outbox: router({
    list: procedure.query(({ ctx: { web } }) => ({
      enabled: web.env.mail.resendApiKey === undefined,
      mails: outboxViews(web.db),
    })),
  }),
  /** Watches, and nothing else: opening it twice, or closing it, changes nothing. */
  live: procedure
    .input(
      z.object({
        lastEventId: z.coerce.number().int().min(0).nullish(),
        operationId: z.string().max(64).nullish(),
      }),
    )
    .subscription(async function* ({ ctx: { web, sessionId }, input, signal }) {
      const abort = new AbortController();
      const stop = () => abort.abort();
      signal?.addEventListener("abort", stop);
      const check = setInterval(() => {
        if (sessionUser(web.db, sessionId, Date.now()) === undefined) stop();
      }, sessionCheckMs);
      try {
        const events = web.live.follow({
          afterId: input.lastEventId ?? lastEventId(web.db),
          signal: abort.signal,
          ...(input.operationId == null ? {} : { operationId: input.operationId }),
        });
        for await (const event of events) yield tracked(String(event.id), event);
      } finally {
        clearInterval(check);
        signal?.removeEventListener("abort", stop);
      }
    }),
});

export type AppRouter = typeof appRouter;
