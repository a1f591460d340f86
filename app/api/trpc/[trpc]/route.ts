import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { sessionOf } from "../../../../server/auth.ts";
import { appRouter } from "../../../../server/router.ts";
import { web } from "../../../../server/web.ts";

export const dynamic = "force-dynamic";

const handler = (request: Request) =>
  fetchRequestHandler({
    endpoint: "/api/trpc",
    req: request,
    router: appRouter,
    createContext: async () => ({ web: web(), sessionId: (await sessionOf(request))?.id }),
  });

export { handler as GET, handler as POST };
