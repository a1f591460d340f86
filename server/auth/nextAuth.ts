import type { NextRequest } from "next/server";
import type { NextAuthOptions } from "next-auth";
import { decode } from "next-auth/jwt";
import CredentialsProvider from "next-auth/providers/credentials";
import { z } from "zod";
import { report } from "#server/report.ts";
import type { Web } from "#server/web.ts";
import { revokeSession, sessionMs, sessionUser, signIn, TooManyAttempts } from "./sessions.ts";

const credentials = z.object({ email: z.string().max(254), password: z.string().max(1024) });
const token = z.object({ sessionId: z.string() });

/** The name under which next-auth keeps its token; no `__Secure-` prefix, because the dashboard may be plain http. */
const cookieName = "spawner-session";

/**
 * next-auth with email and password. Its token carries only the id of a row in `sessions`: whoever wants to know who
 * is there asks that row, so that a session can be revoked.
 */
export function authOptions({ db, sessionsKey, env }: Web): NextAuthOptions {
  const secure = env.dashboardUrl.startsWith("https:");
  return {
    secret: sessionsKey,
    session: { strategy: "jwt", maxAge: sessionMs / 1000 },
    pages: { signIn: "/login" },
    cookies: {
      sessionToken: { name: cookieName, options: { httpOnly: true, sameSite: "lax", path: "/", secure } },
    },
    providers: [
      CredentialsProvider({
        credentials: { email: {}, password: {} },
        async authorize(input, request) {
          const parsed = credentials.safeParse(input);
          if (!parsed.success) return null;
          const forwarded: unknown = request.headers?.["x-forwarded-for"];
          const address =
            typeof forwarded === "string" ? (forwarded.split(",").at(-1)?.trim() ?? "") : "local";
          try {
            const signedIn = await signIn(db, { ...parsed.data, address, now: Date.now() });
            if (signedIn === undefined) return null;
            return { ...signedIn.user, sessionId: signedIn.sessionId };
          } catch (error) {
            if (error instanceof TooManyAttempts) throw error;
            report("sign-in failed", error);
            throw new Error("You can't sign in at the moment. Try again in a minute.");
          }
        },
      }),
    ],
    callbacks: {
      jwt: ({ token: kept, user }) =>
        user !== undefined && "sessionId" in user ? { ...kept, sessionId: user.sessionId } : kept,
    },
    events: {
      signOut: ({ token: kept }) => {
        const parsed = token.safeParse(kept);
        if (parsed.success) revokeSession(db, parsed.data.sessionId, Date.now());
      },
    },
  };
}

/** The session a request carries: its id and whose it is, or undefined when there is none that still counts. */
export async function sessionOf({ db, sessionsKey }: Web, request: NextRequest) {
  const sealed = request.cookies.get(cookieName)?.value;
  // What was tampered with, or sealed with an earlier key, is no session.
  const opened = await decode({
    secret: sessionsKey,
    ...(sealed === undefined ? {} : { token: sealed }),
  }).catch(() => null);
  const parsed = token.safeParse(opened);
  if (!parsed.success) return undefined;
  const user = sessionUser(db, parsed.data.sessionId, Date.now());
  return user === undefined ? undefined : { id: parsed.data.sessionId, user };
}
