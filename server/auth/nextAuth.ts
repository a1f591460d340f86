import type { NextRequest } from "next/server";
import NextAuth, { type NextAuthOptions } from "next-auth";
import { decode, encode } from "next-auth/jwt";
import CredentialsProvider from "next-auth/providers/credentials";
import { z } from "zod";
import { newId } from "#server/ids.ts";
import { report } from "#server/report.ts";
import type { Web } from "#server/web.ts";
import { clientAddress } from "./clientAddress.ts";
import { type Device, revokeSession, sessionMs, sessionUser, signIn, TooManyAttempts } from "./sessions.ts";

const credentials = z.object({ email: z.string().max(254), password: z.string().max(1024) });
const token = z.object({ sessionId: z.string() });
const deviceToken = z.object({ deviceId: z.string(), userId: z.string() });

const isSecure = ({ env }: Pick<Web, "env">): boolean => env.dashboardUrl.startsWith("https:");

/**
 * The name under which a browser keeps something of ours. With the prefix it takes that cookie only from this very host,
 * over https; without https it would take none.
 */
const cookieName = (web: Pick<Web, "env">, name: string): string => (isSecure(web) ? `__Host-${name}` : name);
const sessionCookie = "spawner-session";
const deviceCookie = "spawner-device";
const deviceSeconds = 365 * 24 * 3600;

const cookieOptions = (web: Pick<Web, "env">) =>
  ({ httpOnly: true, sameSite: "lax", path: "/", secure: isSecure(web) }) as const;

/** What is known of whoever signs in, besides what they type. */
type Caller = {
  address?: string | undefined;
  device?: Device | undefined;
  onSignedIn?: (userId: string) => void;
};

/**
 * next-auth with email and password. Its token carries only the id of a row in `sessions`: whoever wants to know who
 * is there asks that row, so that a session can be revoked.
 */
export function authOptions(web: Web, caller: Caller = {}): NextAuthOptions {
  const { db, sessionsKey } = web;
  return {
    secret: sessionsKey,
    session: { strategy: "jwt", maxAge: sessionMs / 1000 },
    pages: { signIn: "/login" },
    cookies: {
      sessionToken: { name: cookieName(web, sessionCookie), options: cookieOptions(web) },
    },
    providers: [
      CredentialsProvider({
        credentials: { email: {}, password: {} },
        async authorize(input) {
          const parsed = credentials.safeParse(input);
          if (!parsed.success) return null;
          const { address, device } = caller;
          try {
            const signedIn = await signIn(db, { ...parsed.data, address, device, now: Date.now() });
            if (signedIn === undefined) return null;
            caller.onSignedIn?.(signedIn.user.id);
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
export async function sessionOf(web: Web, request: NextRequest) {
  const { db, sessionsKey } = web;
  const sealed = request.cookies.get(cookieName(web, sessionCookie))?.value;
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

/**
 * Answers what next-auth answers. A browser that signs in is known from then on, so that wrong guesses from elsewhere don't
 * delay it.
 */
export async function handleAuth(
  web: Web,
  request: NextRequest,
  context: { params: Promise<{ nextauth: string[] }> },
): Promise<Response> {
  const device = await deviceOf(web, request);
  const address = clientAddress(request.headers.get("x-forwarded-for"), web.env.trustedProxies);
  let userId: string | undefined;
  const onSignedIn = (id: string) => {
    userId = id;
  };
  const response: Response = await NextAuth(authOptions(web, { address, device, onSignedIn }))(
    request,
    context,
  );
  if (userId === undefined || device?.userId === userId) return response;
  const value = await encode({
    token: { deviceId: newId(), userId },
    secret: web.sessionsKey,
    salt: deviceCookie,
    maxAge: deviceSeconds,
  });
  const secure = isSecure(web) ? "; Secure" : "";
  response.headers.append(
    "set-cookie",
    `${cookieName(web, deviceCookie)}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${deviceSeconds}${secure}`,
  );
  return response;
}

/** The browser that sends a request, if somebody has signed in with it. */
async function deviceOf(web: Web, request: NextRequest): Promise<Device | undefined> {
  const sealed = request.cookies.get(cookieName(web, deviceCookie))?.value;
  if (sealed === undefined) return undefined;
  const opened = await decode({ token: sealed, secret: web.sessionsKey, salt: deviceCookie }).catch(
    () => null,
  );
  const parsed = deviceToken.safeParse(opened);
  return parsed.success ? { id: parsed.data.deviceId, userId: parsed.data.userId } : undefined;
}
