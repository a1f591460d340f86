import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import type { NextRequest } from "next/server";
import { appRouter } from "#server/api/router.ts";
import { sessionOf } from "#server/auth/nextAuth.ts";
import { web } from "#server/web.ts";

export const dynamic = "force-dynamic";

const handler = (request: NextRequest) =>
  fetchRequestHandler({
    endpoint: "/api/trpc",
    req: request,
    router: appRouter,
    createContext: async () => ({ web: web(), sessionId: (await sessionOf(web(), request))?.id }),
  });

export { handler as GET, handler as POST };
