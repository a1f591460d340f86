import type { NextRequest } from "next/server";
import { guardRequest } from "#server/api/requestGuard.ts";
import { handleAuth } from "#server/auth/nextAuth.ts";
import { web } from "#server/web.ts";

export const dynamic = "force-dynamic";

/** An email, a password, and a token. */
const maxBytes = 16 * 1024;

type Context = { params: Promise<{ nextauth: string[] }> };

const handler = async (asked: NextRequest, context: Context): Promise<Response> => {
  const { dashboardUrl } = web().env;
  const guarded = await guardRequest(asked, { maxBytes, dashboardUrl });
  if ("refusal" in guarded) return guarded.refusal;
  return handleAuth(web(), guarded.request, context);
};

export { handler as GET, handler as POST };
