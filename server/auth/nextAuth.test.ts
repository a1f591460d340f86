import { NextRequest } from "next/server";
import { encode } from "next-auth/jwt";
import { describe, expect, test } from "vitest";
import { createTestWeb } from "#server/testing/testWeb.ts";
import { authOptions, sessionOf } from "./nextAuth.ts";

describe("a request's session", async () => {
  const { web, newSession } = await createTestWeb();
  const asking = (headers: Record<string, string>) =>
    sessionOf(web, new NextRequest("http://localhost:3000/api/trpc/instances.list", { headers }));
  const cookieOf = async (sessionId: string, secret = web.sessionsKey) =>
    `spawner-session=${await encode({ token: { sessionId }, secret })}`;

  test("is found beside cookies that nobody can decode", async () => {
    const sessionId = await newSession();
    const cookie = `a=%E0%A4%A; ${await cookieOf(sessionId)}; b`;
    expect(await asking({ cookie })).toMatchObject({ id: sessionId, user: { name: "Joe" } });
  });

  test("is found under https only in the cookie that no other host can set", async () => {
    const secure = { ...web, env: { ...web.env, dashboardUrl: "https://spawner.example.org" } };
    const { name, options } = authOptions(secure).cookies?.sessionToken ?? {};
    expect(name).toBe("__Host-spawner-session");
    expect(options).toEqual({ httpOnly: true, sameSite: "lax", path: "/", secure: true });
    const cookie = await cookieOf(await newSession());
    const asked = (headers: Record<string, string>) =>
      sessionOf(secure, new NextRequest("https://spawner.example.org/api/trpc/x", { headers }));
    expect(await asked({ cookie })).toBeUndefined();
    expect(await asked({ cookie: `__Host-${cookie}` })).toMatchObject({ user: { name: "Joe" } });
  });

  test.each([
    ["no cookie", async () => ({})],
    ["a malformed one", async () => ({ cookie: "spawner-session=%E0%A4%A" })],
    ["one of another key", async () => ({ cookie: await cookieOf(await newSession(), "another key") })],
    ["an unknown session", async () => ({ cookie: await cookieOf("unknown") })],
    ["a malformed Authorization header", async () => ({ authorization: "Bearer %E0%A4%A" })],
  ])("is none with %s", async (_what, headers) => {
    expect(await asking(await headers())).toBeUndefined();
  });
});
