import NextAuth from "next-auth";
import { authOptions } from "#server/auth/nextAuth.ts";
import { web } from "#server/web.ts";

export const dynamic = "force-dynamic";

type Context = { params: Promise<{ nextauth: string[] }> };

const handler = (request: Request, context: Context): Promise<Response> =>
  NextAuth(authOptions(web()))(request, context);

export { handler as GET, handler as POST };
