import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import type { NextRequest } from "next/server";
import { guardRequest } from "#server/api/requestGuard.ts";
import { appRouter } from "#server/api/router.ts";
import { maxCallsAtOnce } from "#server/api/views.ts";
import { sessionOf } from "#server/auth/nextAuth.ts";
import { web } from "#server/web.ts";

export const dynamic = "force-dynamic";

/** A hundred variables of 32 KiB in all, with room for their JSON. */
const maxBytes = 256 * 1024;

const handler = async (asked: NextRequest): Promise<Response> => {
  const { dashboardUrl } = web().env;
  const guarded = await guardRequest(asked, { maxBytes, dashboardUrl });
  if ("refusal" in guarded) return guarded.refusal;
  const { request } = guarded;
  const response = await fetchRequestHandler({
    endpoint: "/api/trpc",
    req: request,
    router: appRouter,
    maxBatchSize: maxCallsAtOnce,
    createContext: async () => ({ web: web(), sessionId: (await sessionOf(web(), request))?.id }),
  });
  response.headers.set("cache-control", "no-store, no-transform");
  return response;
};

export { handler as GET, handler as POST };
