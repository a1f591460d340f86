import { initTRPC, TRPCError } from "@trpc/server";
import { ZodError } from "zod";
import { sessionUser } from "#server/auth/sessions.ts";
import { CommandError } from "#server/commandError.ts";
import { ProviderError } from "#server/providers/errors.ts";
import { report } from "#server/report.ts";
import type { Web } from "#server/web.ts";

type Context = { web: Web; sessionId: string | undefined };

const codes = {
  invalid: "BAD_REQUEST",
  conflict: "CONFLICT",
  "not-found": "NOT_FOUND",
  "not-now": "PRECONDITION_FAILED",
} as const;

const t = initTRPC.context<Context>().create({
  sse: {
    // The client reconnects and so shows its session again; a revoked one also ends inside the stream.
    maxDurationMs: 5 * 60_000,
    ping: { enabled: true, intervalMs: 5000 },
    client: { reconnectAfterInactivityMs: 15_000 },
  },
  errorFormatter: ({ shape, error }) => ({
    ...shape,
    message: error.cause instanceof ZodError ? "Please check the highlighted fields." : shape.message,
    data: { code: shape.data.code, httpStatus: shape.data.httpStatus, fields: fieldsOf(error.cause) },
  }),
});

function fieldsOf(cause: unknown): Record<string, string> | null {
  if (cause instanceof CommandError) return cause.fields;
  if (cause instanceof ZodError)
    return Object.fromEntries(cause.issues.map((issue) => [issue.path.join("."), issue.message]));
  return null;
}

export const router = t.router;

/** Maps what commands and providers throw to what travels over HTTP, once for all procedures. */
const errors = t.middleware(async ({ next, path }) => {
  const result = await next();
  if (result.ok) return result;
  const { cause } = result.error;
  if (cause instanceof CommandError)
    throw new TRPCError({ code: codes[cause.kind], message: cause.message, cause });
  if (cause instanceof ProviderError) {
    report(`${path}: ${cause.detail}`);
    throw new TRPCError({ code: "BAD_GATEWAY", message: cause.userMessage });
  }
  if (result.error.code === "INTERNAL_SERVER_ERROR") {
    report(path, cause ?? result.error);
    throw new TRPCError({
      code: "INTERNAL_SERVER_ERROR",
      message: "Something went wrong. Try again.",
    });
  }
  return result;
});

/** Every procedure is for signed-in people: the session is looked up for each call, so that a revoked one ends at once. */
export const procedure = t.procedure.use(errors).use(({ ctx, next }) => {
  const user = ctx.sessionId === undefined ? undefined : sessionUser(ctx.web.db, ctx.sessionId, Date.now());
  if (user === undefined || ctx.sessionId === undefined)
    throw new TRPCError({ code: "UNAUTHORIZED", message: "Sign in first." });
  return next({ ctx: { ...ctx, user, sessionId: ctx.sessionId } });
});
